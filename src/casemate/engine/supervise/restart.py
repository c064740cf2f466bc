"""Whether and when a container that ended is started again.

Rules, in the order of the code (Kubernetes: Pod lifecycle, "Container restarts"; KEP-753 sidecars; KEP-5307 rules):

1. A sidecar (an init container with `restartPolicy: Always`) always restarts.
2. The first of a container's own `restartPolicyRules` that matches its exit code restarts it.
3. Else its own `restartPolicy` decides, else the Pod's (`Always` when unset). For init containers `Always` means
   `OnFailure`.
4. The first restart is immediate; each further one waits 10 s, 20 s, 40 s … up to 300 s after the last end.
5. A container that ran for 10 minutes starts at rule 4 afresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from casemate.engine.supervise.observed import ObservedContainer
from casemate.model.kube.container import Container, ContainerRestartRule
from casemate.model.kube.pod import PodSpec

FIRST_DELAY = 10.0
LONGEST_DELAY = 300.0
FORGIVEN_AFTER = 2 * LONGEST_DELAY


class Role(Enum):
    """What a container is for in its Pod."""

    INIT = "init"
    SIDECAR = "sidecar"
    MAIN = "main"


def role_of(spec: PodSpec, container: Container) -> Role:
    """The role that the container has by its list and its `restartPolicy`."""
    if not any(each is container or each.name == container.name for each in spec.initContainers):
        return Role.MAIN
    return Role.SIDECAR if container.restartPolicy == "Always" else Role.INIT


def restarts(spec: PodSpec, container: Container, exit_code: int) -> bool:
    """Whether the container is to be started again after that exit code (rules 1 to 3)."""
    role = role_of(spec, container)
    if role is Role.SIDECAR:
        return True
    if any(_matches(rule, exit_code) for rule in container.restartPolicyRules):
        return True
    policy = container.restartPolicy or spec.restartPolicy or "Always"
    if policy == "Always" and role is Role.MAIN:
        return True
    return policy != "Never" and exit_code != 0


def _matches(rule: ContainerRestartRule, exit_code: int) -> bool:
    condition = rule.exitCodes
    if condition is None or rule.action != "Restart":
        return False
    listed = exit_code in condition.values
    return listed if condition.operator == "In" else not listed


@dataclass
class Crashes:
    """How often in a row one container ended; feeds rules 4 and 5."""

    in_a_row: int = 0

    def delay(self) -> float:
        """Seconds to wait after the last end."""
        if self.in_a_row <= 1:
            return 0.0
        return float(min(FIRST_DELAY * 2 ** min(self.in_a_row - 2, 10), LONGEST_DELAY))

    def count(self, ended: ObservedContainer) -> None:
        """Take note of one more end."""
        ran = ended.finished_at - ended.started_at
        self.in_a_row = 1 if ended.started_at and ran >= FORGIVEN_AFTER else self.in_a_row + 1
