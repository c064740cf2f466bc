"""What holds for all tests on whatever machine, however busy it is.

1. A property test that is slow has not failed.
2. Tests of real parts (what needs root, and what has a cluster) share two processors with them: one that failed runs
   once more.
   What failed first is shown at the end all the same, and is to be looked at.
3. `make test` runs two at once. Clusters come one after another, since a machine has room for one kubelet, and so do
   the integration tests, which share an engine; others run wherever there is time, a file in one piece.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

_CLUSTER = Path(__file__).parent / "cluster"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of real parts fail once (rule 2)."""
    for item in items:
        if item.get_closest_marker("root") or _CLUSTER in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Keep those apart that share some part (rule 3)."""
    return _InTurn(config, log)


class _InTurn(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = Path(file).parts[1]
        return folder if folder in ("cluster", "integration") else file


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what failed first, and then did not (rule 2)."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"failed first: {report.nodeid}")
        terminalreporter.line(report.longreprtext)
