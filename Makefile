# KAOS. A newcomer needs two: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
STAMP   = $(VENV)/.kaos-installed

.PHONY: help setup demo test test-full test-cluster check lint crds chart images lock reference screenshots clean
help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## .venv with kaos in it
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"KAOS needs Python 3.11 or newer; {sys.executable} is {v.major}.{v.minor}. Try: make setup PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing KAOS into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[local]' --group dev
	@touch $@

demo: setup ## a local cluster, a tool server, an agent that uses it
	@$(BIN)/python -m kaos.cli.demo

test: setup ## units and the local cluster end to end; no Docker, no cluster
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder -m 'not full and not cluster'

test-full: setup ## what is slow or needs other packages
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group full
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m 'full and not cluster'

test-cluster: setup ## the same stories on the cluster that KUBECONFIG names
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group full
	@$(BIN)/python -m pytest -q --place cluster tests/e2e/test_install_e2e.py
	@$(BIN)/python -m pytest -q --place cluster --ignore tests/e2e/test_install_e2e.py tests/integration tests/e2e tests/parity

check: setup lint ## under a minute: lint and unit tests
	@$(BIN)/python -m pytest -q -n 2 tests/unit

lint: setup ## style and the arrows between rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

crds: setup ## write chart/crds/*.yaml from the models
	@$(BIN)/python -m kaos.api.crds chart/crds

chart: crds ## write chart/rendered.yaml, for those without helm (needs helm)
	@cp kaos/api/runtimes.yaml chart/files/runtimes.yaml
	@helm template kaos chart --namespace kaos-system --kube-version 1.34.0 > chart/rendered.yaml

images: ## kaostools/* in this version, and what is in them in build/sbom (needs Docker)
	@tools/images.sh

LOCK = build/lock/bin/uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-annotate --custom-compile-command 'make lock'
lock: setup ## pin anew what the images are made of
	@test -x build/lock/bin/uv || { $(BIN)/python -m venv build/lock && build/lock/bin/pip install --quiet uv; }
	@$(LOCK) --upgrade pyproject.toml --extra operator --extra dataplane --extra telemetry -o images/kaos/requirements.txt
	@$(LOCK) --upgrade mcp-servers/rawpython/pyproject.toml --extra telemetry -o mcp-servers/rawpython/requirements.txt
	@echo 'hatchling>=1.27' | $(LOCK) --upgrade - -o images/kaos/build.txt
	@cp images/kaos/build.txt mcp-servers/rawpython/build.txt
	@echo 'cyclonedx-bom>=7,<8' | $(LOCK) --upgrade - -o images/sbom.txt

reference: setup ## write docs/reference from the program
	@$(BIN)/python tools/reference.py docs/reference

screenshots: setup ## draw screenshots/* from the real program
	@$(BIN)/python tools/screenshot.py screenshots/demo.svg "make demo" $(BIN)/python -m kaos.cli.demo
	@$(BIN)/python tools/console_pictures.py screenshots

clean: ## remove the environment
	rm -rf $(VENV) .pytest_cache .ruff_cache
