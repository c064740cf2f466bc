"""How names, keys and paths are written (k8s.io/apimachinery/pkg/util/validation).

Each rule takes a value and answers with what is wrong with it, or with an empty string.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import TypeAlias

from casemate.errors import InputError
from casemate.model import quantity

Rule: TypeAlias = Callable[[object], str]

INT32 = 2**31 - 1
INT64 = 2**63 - 1

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_UNDERSCORED = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"


def _pattern(expression: str, longest: int, complaint: str) -> Rule:
    compiled = re.compile(expression)

    def rule(value: object) -> str:
        text = str(value)
        if len(text) > longest:
            return f"is longer than {longest} characters"
        return "" if compiled.fullmatch(text) else f'"{text}" {complaint}'

    return rule


dns_label = _pattern(_LABEL, 63, "must be lower-case letters, digits and inner hyphens (a DNS label)")
dns_subdomain = _pattern(
    rf"{_LABEL}(\.{_LABEL})*", 253, "must be lower-case letters, digits, inner hyphens and dots (a DNS subdomain)"
)
search_domain = _pattern(
    rf"\.|{_UNDERSCORED}(\.{_UNDERSCORED})*\.?", 254, "must be a domain of lower-case letters, digits, - and _"
)
label_value = _pattern(f"({_QUALIFIED})?", 63, "must be letters, digits and inner -, _ or . (a label's value)")
header_name = _pattern("[-A-Za-z0-9]+", INT32, "must be letters, digits and hyphens (an HTTP header)")
env_name = _pattern("[ -<>-~]+", INT32, "must be printable ASCII without = (an environment variable)")
sysctl_name = _pattern(
    r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?",
    253,
    "must be a sysctl such as net.core.somaxconn",
)
_data_key = _pattern("[-._a-zA-Z0-9]+", 253, "must be letters, digits, -, _ or . (a key)")
_qualified_name = _pattern(_QUALIFIED, 63, "must be letters, digits and inner -, _ or .")
_port_name = _pattern(
    "(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*", 15, "must be lower-case letters, digits and single inner hyphens"
)


def data_key(value: object) -> str:
    """A key of a ConfigMap or Secret: it becomes a file name."""
    text = str(value)
    if text == "." or text.startswith(".."):
        return f'"{text}" must not be . or begin with ..'
    return _data_key(text)


def qualified_name(value: object) -> str:
    """A label's or annotation's key: a name, optionally behind a DNS subdomain and a slash."""
    prefix, slash, name = str(value).rpartition("/")
    if slash and (wrong := dns_subdomain(prefix)):
        return wrong
    return _qualified_name(name)


def annotation_key(value: object) -> str:
    """As `qualified_name`, in either case."""
    return qualified_name(str(value).lower())


def port(value: object) -> str:
    """A port by number, or by the name that a container gave it."""
    if isinstance(value, int):
        return "" if 0 < value < 65536 else f"{value} must be between 1 and 65535"
    return _port_name(value)


def relative_path(value: object) -> str:
    """A path that cannot lead out of its folder."""
    text = str(value)
    if text.startswith("/"):
        return f'"{text}" must be a relative path'
    return no_backsteps(text)


def file_path(value: object) -> str:
    """A relative path of a file in a volume: not empty, and not beginning with `..` as the writer's own names do."""
    text = str(value)
    if not text:
        return "must not be empty"
    return relative_path(text) or ('must not begin with ".."' if text.startswith("..") else "")


def no_backsteps(value: object) -> str:
    """A path without `..` steps."""
    return f'"{value}" must not contain ".."' if ".." in str(value).split("/") else ""


def ip_address(value: object) -> str:
    """An IPv4 or IPv6 address, without a zone."""
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return f'"{value}" is no IP address'
    return f'"{value}" must have no zone' if "%" in str(value) else ""


def network(value: object) -> str:
    """A network in CIDR notation."""
    try:
        ipaddress.ip_network(str(value).strip(), strict=False)
    except ValueError:
        return f'"{value}" is no network such as 10.0.0.0/8'
    return "" if "/" in str(value) else f'"{value}" lacks its prefix length'


def not_negative_quantity(value: object) -> str:
    """A quantity of zero or more."""
    if not isinstance(value, int | float | str):
        return "is no quantity"
    try:
        return "" if quantity.parse(value) >= 0 else f"{value} must not be negative"
    except InputError as error:
        return f"{error.what}: {error.fix}"


def not_empty(value: object) -> str:
    """Any text."""
    return "must not be empty" if value == "" else ""


def trimmed(value: object) -> str:
    """Text that is not empty and neither begins nor ends with a space."""
    text = str(value)
    return not_empty(text) or ("" if text == text.strip() else f'"{text}" must not begin or end with a space')


def one_of(*words: str) -> Rule:
    """One of these words; empty means unset, as for most of the API's enumerations."""

    def rule(value: object) -> str:
        return "" if value in words or value == "" else f'"{value}" must be one of {", ".join(words)}'

    return rule


def exactly(*words: str) -> Rule:
    """One of these words, and not empty."""

    def rule(value: object) -> str:
        return "" if value in words else f'"{value}" must be one of {", ".join(words)}'

    return rule


def between(lowest: int, highest: int) -> Rule:
    """An integer within these bounds."""

    def rule(value: object) -> str:
        inside = isinstance(value, int) and lowest <= value <= highest
        return "" if inside else f"{value} must be between {lowest} and {highest}"

    return rule


def optional(rule: Rule) -> Rule:
    """The rule for a value whose zero (`""` or 0) means unset."""
    return lambda value: "" if value in ("", 0) else rule(value)


def count_or_percent(value: object) -> str:
    """A number from 0, or a percentage."""
    if isinstance(value, int):
        return count(value)
    return "" if re.fullmatch("[0-9]+%", str(value)) else f'"{value}" must be a number or a percentage such as 25%'


count = between(0, INT32)
identity = between(0, INT32)
file_mode = between(0, 0o777)
seconds = between(0, INT64)
