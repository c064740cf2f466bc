"""A real kube-apiserver, once for all tests of this folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import kubernetes
import pytest
from apiserver import Cluster, Running


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if not kubernetes.binary().exists() and not os.environ.get("CASEMATE_BUILD_KUBERNETES"):
        pytest.skip("no kube-apiserver: run python tests/cluster/kubernetes.py, or set CASEMATE_BUILD_KUBERNETES=1")
    if not shutil.which("etcd"):
        pytest.skip("no etcd: apt-get install etcd-server")
    kubernetes.build()
    with Running(tmp_path_factory.mktemp("cluster")) as found:
        yield found
