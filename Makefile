# `make demo` and `make test` do all set-up themselves. The README has the same as plain commands.

PYTHON ?= python3
# A set-up that keeps no bytecode would compile casemate anew at every call.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
INSTALLED := .venv/installed

# Debian packages that only tests need.
TEST_PACKAGES := etcd-server iptables qemu-system-x86 qemu-system-common busybox-static conmon crun libseccomp-dev

.PHONY: demo test check unit setup packages test-setup compat cluster cluster-down clean

demo: setup
	$(BIN)/python examples/shop/demo.py

test: test-setup check
	$(BIN)/pytest --numprocesses 2

# Style, types: quick, needs no engine.
check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(INSTALLED) check
	$(BIN)/pytest tests/unit

setup: $(INSTALLED)
	$(BIN)/casemate engine install --yes

packages:
	dpkg -s $(TEST_PACKAGES) >/dev/null 2>&1 || (apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(TEST_PACKAGES))

test-setup: setup packages
	$(BIN)/python tests/cluster/kubernetes.py
	$(BIN)/python tests/cluster/collector.py
	$(BIN)/python tests/cluster/kwok.py
	$(BIN)/python tests/assess/charts.py
	$(BIN)/python tests/integration/node/containerd2.py
	$(BIN)/python tests/integration/node/crio.py
	$(BIN)/python tests/integration/vm/guest_kernel.py

$(INSTALLED): pyproject.toml hatch_build.py src/casemate/engine/cri/cri.proto
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[admission,engine,node,prove,dev]'
	touch $@

# What the catalogue says of runtimes, tried for real; writes src/casemate/catalogue/tested.yaml.
compat: setup
	$(BIN)/python tests/compat

# A real Kubernetes node on this machine, to try things by hand; ends with `make cluster-down`, or Ctrl-C.
cluster: setup packages
	$(BIN)/python tests/cluster/node.py up

cluster-down:
	$(BIN)/python tests/cluster/node.py down

clean:
	rm -rf .venv build dist
