"""Which parts of `hardened` a Pod lacks, as a variable: `lacks` is a list of `part container`.

The rules are those of `casemate.policy.hardening`, in its order; what the whole Pod lacks has no container.
"""

from __future__ import annotations

from typing import Final

from casemate.model.policy import Part
from casemate.policy.compile import cel
from casemate.policy.compile.cel import Variable
from casemate.policy.compile.facts import Side

_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_SELINUX_OFF: Final = ("container_runtime_t", "spc_t", "unconfined_t")
_BOUND: Final = "NET_BIND_SERVICE"
_PRIVILEGED: Final = "c.?securityContext.?privileged.orValue(false)"
_HOST_PROCESS: Final = "windowsOptions.?hostProcess.orValue(false)"


def lacks(side: Side) -> Variable:
    """`lacks` of one side."""
    spec = side.variable("spec")
    of_pod = (
        _pod(f"{spec}.?hostUsers.orValue(true)", Part.USER_NAMESPACE),
        *(_pod(f"{spec}.?{name}.orValue(false)", Part.NO_HOST_NAMESPACES) for name in _HOST),
        _pod(f"{spec}.?securityContext.?{_HOST_PROCESS}", Part.NO_HOST_NAMESPACES, Part.NOT_PRIVILEGED),
        _pod(f"{spec}.?volumes.orValue([]).exists(v, has(v.hostPath))", Part.NO_HOST_PATHS),
        _pod(_annotated(side), Part.NOT_PRIVILEGED),
    )
    of_containers = (
        _container(side, Part.SECCOMP, f"{_PRIVILEGED} || !{_confined(spec)}"),
        _container(
            side, Part.NO_NEW_PRIVILEGES, f"{_PRIVILEGED} || c.?securityContext.?allowPrivilegeEscalation.orValue(true)"
        ),
        _container(side, Part.DROP_CAPABILITIES, f"{_PRIVILEGED} || !{_drops()}"),
        _container(side, Part.NON_ROOT, f"!{_non_root(spec)}"),
        _container(side, Part.NOT_PRIVILEGED, f"{_PRIVILEGED} || {_opened(spec)}"),
        _container(side, Part.NO_HOST_NAMESPACES, f"c.?securityContext.?{_HOST_PROCESS}"),
    )
    return Variable(side.name("lacks"), " + ".join((*of_pod, *of_containers)))


def parts(name: str, lacking: str) -> Variable:
    """The parts of which anything is in a list of lacks."""
    return Variable(name, f"{cel.texts(Part)}.filter(p, {lacking}.exists(l, l.startsWith(p + ' ')))")


_HOST: Final = ("hostNetwork", "hostPID", "hostIPC")


def _pod(condition: str, *parts: Part) -> str:
    return f"({condition} ? {cel.texts(f'{part} ' for part in parts)} : [])"


def _container(side: Side, part: Part, condition: str) -> str:
    return f"{side.variable('containers')}.filter(c, {condition}).map(c, {cel.text(f'{part} ')} + c.name)"


def _annotated(side: Side) -> str:
    annotations = side.variable("annotations")
    return f"{annotations}.exists(k, k.startsWith({cel.text(_APPARMOR)}) && {annotations}[k] == 'unconfined')"


def _either(spec: str, field: str) -> str:
    """A container's field, or else the Pod's, as an optional."""
    return f"c.?securityContext.?{field}.or({spec}.?securityContext.?{field})"


def _confined(spec: str) -> str:
    profile = _either(spec, "seccompProfile")
    kind, name = f"{profile}.?type.orValue('')", f"{profile}.?localhostProfile.orValue('')"
    return f"({kind} == 'RuntimeDefault' || ({kind} == 'Localhost' && {name} != ''))"


def _drops() -> str:
    capabilities = "c.?securityContext.?capabilities"
    dropped = f"{capabilities}.?drop.orValue([]).exists(each, each == 'ALL')"
    added = f"{capabilities}.?add.orValue([]).all(each, each == {cel.text(_BOUND)})"
    return f"({dropped} && {added})"


def _non_root(spec: str) -> str:
    user, non_root = _either(spec, "runAsUser"), _either(spec, "runAsNonRoot")
    return f"({user}.hasValue() ? {user}.orValue(0) > 0 : {non_root}.orValue(false))"


def _opened(spec: str) -> str:
    opened = (
        "c.?securityContext.?procMount.orValue('') in ['', 'Default'] ? false : true",
        f"{_either(spec, 'appArmorProfile')}.?type.orValue('') == 'Unconfined'",
        f"{_either(spec, 'seLinuxOptions')}.?type.orValue('') in {cel.texts(_SELINUX_OFF)}",
        f"c.?securityContext.?{_HOST_PROCESS}",
    )
    return " || ".join(f"({each})" for each in opened)
