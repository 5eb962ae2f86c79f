# make demo   a program under stock gdb and a second engine at once; sets everything up first
# make test   the tests; sets everything up first

PYTHON ?= python3
BIN := .venv/bin
JOBS ?= $(shell nproc)

demo: $(BIN)/gdbstub-server
	$(BIN)/python examples/demo.py

test: .venv/tools
	$(BIN)/python -m pytest -n $(JOBS)

# Installed once, and again when pyproject.toml changes.
$(BIN)/gdbstub-server: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/tools: $(BIN)/gdbstub-server
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

.PHONY: demo test
