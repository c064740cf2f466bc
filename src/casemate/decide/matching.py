"""How the arguments of predicates are compared with texts (catalogue/predicates.yaml says which way each takes).

1. A pattern has `*` and `?`, fits the whole text, and knows no case but its own.
2. `key=pattern` fits a text `key=value`; `key` alone fits any value.
3. A path of the host fits another when it is the same, lies below it, or contains it (`casemate.catalogue.doors`).
4. A version that cannot be read is below no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from typing import TypeAlias

from casemate.catalogue import versions
from casemate.catalogue.doors import normal_path, reaches

Matcher: TypeAlias = Callable[[str], bool]


def exact(arguments: tuple[str, ...]) -> Matcher:
    """One of the arguments."""
    return frozenset(arguments).__contains__


def patterns(arguments: tuple[str, ...]) -> Matcher:
    """A text that one of the patterns fits; any text when there are none."""
    if not arguments:
        return _anything
    tests = tuple(map(pattern, arguments))
    return tests[0] if len(tests) == 1 else lambda text: any(test(text) for test in tests)


def pattern(wanted: str) -> Matcher:
    """One pattern. The common forms need no regular expression."""
    inner = wanted.strip("*")
    if not set("*?[") & set(inner):
        match wanted.startswith("*"), wanted.endswith("*"):
            case True, True:
                return lambda text: inner in text
            case False, True:
                return lambda text: text.startswith(inner)
            case True, False:
                return lambda text: text.endswith(inner)
            case _:
                return wanted.__eq__
    fits = re.compile(translate(wanted)).match
    return lambda text: fits(text) is not None


def tolerations(arguments: tuple[str, ...]) -> Matcher:
    """A toleration's key; none tolerates all."""
    fits = patterns(arguments)
    return lambda key: not key or fits(key)


def images(arguments: tuple[str, ...]) -> Matcher:
    """A repository with its registry; patterns without a slash are compared with its last part."""
    whole, last = (tuple(each for each in arguments if ("/" in each) is slash) for slash in (True, False))
    fits_whole, fits_last = patterns(whole), patterns(last)
    return lambda text: bool(
        (whole and fits_whole(text)) or (last and fits_last(text.rpartition("/")[2])),
    )


def all_images(arguments: tuple[str, ...]) -> Matcher:
    """Names of images, with spaces between, each of which one of the patterns fits."""
    fits = patterns(arguments)
    return lambda names: bool(names) and all(map(fits, names.split(" ")))


def host_paths(arguments: tuple[str, ...]) -> Matcher:
    """A host path that gives access to one of these; any when there are none."""
    if not arguments:
        return _anything
    wanted = tuple(map(normal_path, arguments))
    return lambda path: any(reaches(path, each) for each in wanted)


def capabilities(arguments: tuple[str, ...]) -> Matcher:
    """A set of capabilities, with spaces between, that has one of these."""
    return lambda held: not set(arguments).isdisjoint(held.split())


def added(arguments: tuple[str, ...]) -> Matcher:
    """An added capability; without arguments any but the one that the Restricted profile of Kubernetes allows."""
    return frozenset((*arguments, "ALL")).__contains__ if arguments else "NET_BIND_SERVICE".__ne__


def media(arguments: tuple[str, ...]) -> Matcher:
    """The medium of an emptyDir; `HugePages` covers those with a size."""
    return lambda medium: medium in arguments or medium.partition("-")[0] in arguments


def below(arguments: tuple[str, ...]) -> Matcher:
    """A version below the argument."""
    (limit,) = arguments
    return lambda version: versions.below(version, limit) is True


def keyed(arguments: Sequence[str]) -> Callable[[str], Matcher | None]:
    """For a key, what its value must be; None when the key is not asked for."""
    split = [argument.partition("=") for argument in arguments]
    wanted = [(pattern(key), pattern(value) if equals else _anything) for key, equals, value in split]

    def of(key: str) -> Matcher | None:
        tests = tuple(test for fits, test in wanted if fits(key))
        return (lambda text: any(test(text) for test in tests)) if tests else None

    return of


def _anything(_: str) -> bool:
    return True
