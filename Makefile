# make demo   a program under stock gdb and a second engine at once; sets everything up first
# make test   the tests; sets everything up first

PYTHON ?= python3
BIN := .venv/bin
JOBS ?= $(shell nproc)

demo: $(BIN)/gdbstub-server
	$(BIN)/python examples/demo.py

test: .venv/tools
	$(BIN)/python -m pytest -n $(JOBS)

# Installed once, and again when pyproject.toml changes: by a plain path entry, and with bytecode, so that a
# program starts as fast as one installed from an index.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat

$(BIN)/gdbstub-server: pyproject.toml
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	$(BIN)/python -m compileall -q gdbstub
	touch $@

.venv/tools: $(BIN)/gdbstub-server
	$(INSTALL) --editable '.[dev]'
	touch $@

.PHONY: demo test
