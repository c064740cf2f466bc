"""Play the bypass corpus against Gatekeeper or Kyverno with the policies that casemate compiles for them.

`python tests/cluster/corpus_peers.py gatekeeper|kyverno [--output FILE]`. The engines are built and started as
`benchmarks/admission` does it; they are asked about everything that the compiled policies are about.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import kubernetes
from apiserver import Cluster, Running

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.admission import peers

from casemate import catalogue
from casemate.admission import replay_cluster, replay_requests
from casemate.admission.replay_install import installer
from casemate.report import corpus as report
from casemate.sources import corpus
from casemate.sources.cluster_access import access

FLAGS = ("--disable-admission-plugins=ServiceAccount", "--allow-privileged=true")
RESOURCES = ["*", "pods/ephemeralcontainers", "pods/resize", "namespaces/status", "namespaces/finalize"]
OTHERS = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["gatekeeper-system"]}
EVERYTHING = peers.Asked(
    {"apiGroups": ["*"], "apiVersions": ["*"], "resources": RESOURCES, "operations": ["CREATE", "UPDATE"]},
    {"matchExpressions": [OTHERS]},
)


def start(name: str, cluster: Cluster, folder: Path) -> peers.Peer:
    """The engine, asked about everything. Kyverno says itself what it is asked about."""
    peer = peers.kyverno(cluster, folder) if name == "kyverno" else peers.gatekeeper(cluster, folder, EVERYTHING)
    _remove(cluster, [replay_requests.place_of(each) for each in peers.documents(peers.DATA / f"{name}.yaml")])
    return peer


def _remove(cluster: Cluster, paths: Iterable[str]) -> None:
    """The benchmark's own policies."""
    with cluster.client() as client:
        for each in paths:
            client.delete(each)
    time.sleep(5)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=("gatekeeper", "kyverno"))
    parser.add_argument("--corpus", type=Path, default=Path(__file__).parents[2] / "corpus")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    kubernetes.build()
    loaded = corpus.load(options.corpus)
    install = installer(options.engine, loaded, catalogue.load())
    with tempfile.TemporaryDirectory() as name, Running(Path(name), *FLAGS) as cluster:
        peer = start(options.engine, cluster, Path(name))
        try:
            with replay_cluster.Trial(access(cluster.kubeconfig("admin")), install) as trial:
                played = tuple(trial.replay(loaded))
        finally:
            peers.end(peer.process)
            print("\n".join(peer_log(Path(name), options.engine)), file=sys.stderr)
    if options.output:
        options.output.write_bytes(report.document(played, options.engine))
    for each in (one for one in played if one.wrong):
        print(f"{each.attempt.id}: {each.wrong} ({each.message[:300]})")
    print(f"{peer.name} {peer.version}: {report.summary(played, len(loaded.tries) - len(played))}")
    return 0


def peer_log(folder: Path, name: str) -> list[str]:
    """The end of what the engine said."""
    return (folder / f"{name}.log").read_text(errors="replace").splitlines()[-15:]


if __name__ == "__main__":
    sys.exit(main())
