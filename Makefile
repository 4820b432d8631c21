.DEFAULT_GOAL := help
VENV := .venv
PYTHON := $(VENV)/bin/python
JOBS := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)

.PHONY: help install demo test lint types bench notebooks clean

help:  ## List every target
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(VENV)/.installed  ## Make .venv and install everything into it

$(VENV)/.installed: pyproject.toml
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "synthreal needs Python 3.11 or newer")'
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --upgrade pip
	$(PYTHON) -m pip install --quiet --editable '.[dev]'
	touch $@

demo: install  ## Train SampleAhead and its baseline on bundled digits; table and report at the end (3 minutes)
	$(PYTHON) -m synthreal study run experiments/sampleahead/demo.yaml
	$(PYTHON) -m synthreal study report experiments/sampleahead/demo.yaml

test: install  ## Run the tests; no network, no data needed
	$(PYTHON) -m pytest --numprocesses $(JOBS)

lint: install  ## Check style and formatting
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: install  ## Check types
	$(PYTHON) -m mypy

bench: install  ## Measure speed against peers, side by side (20 minutes)
	for script in fit probes sampling augmentation rendering training_step compositing mixing mrgan triplet_loss triplet_sets; do $(PYTHON) experiments/performance/$$script.py || exit 1; done

notebooks: install  ## Run the notebooks and keep their outputs in runs/notebooks
	mkdir -p runs/notebooks
	for notebook in notebooks/*.ipynb; do $(VENV)/bin/jupyter-execute $$notebook --output=$(CURDIR)/runs/notebooks/$$(basename $$notebook) || exit 1; done

clean:  ## Remove .venv, caches and builds; keep data/ and runs/
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
