"""A real kube-apiserver, once for all tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import kubernetes
import pytest
from apiserver import Cluster, Running


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if not shutil.which("etcd"):
        pytest.fail("etcd is not installed: make test-setup")
    kubernetes.build()
    with Running(tmp_path_factory.mktemp("cluster")) as found:
        yield found
