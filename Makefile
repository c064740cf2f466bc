# `make demo` and `make test` do all set-up themselves. The README has the same as plain commands.

PYTHON ?= python3
# A set-up that keeps no bytecode would compile casemate anew at every call.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo test check unit setup clean

demo: setup
	$(BIN)/python examples/shop/demo.py

test: setup check
	$(BIN)/pytest

# Style, types: quick, needs no engine.
check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(INSTALLED) check
	$(BIN)/pytest tests/unit

setup: $(INSTALLED)
	$(BIN)/casemate engine install --yes

$(INSTALLED): pyproject.toml hatch_build.py src/casemate/engine/cri/cri.proto
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[engine,dev]'
	touch $@

clean:
	rm -rf .venv build dist
