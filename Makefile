# Needs Python 3.11 or newer, git and make; everything else comes into .venv and the cache of the tools.
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3.14 python3 2>/dev/null))
VENV := .venv/.complete
PROXY := .venv-proxy/.complete
RUN := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help demo test suite lint e2e proxy bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV) ## render, seal and validate build/demo: three environments, four providers
	@$(RUN) -m examples.demo

test: $(VENV) ## run every test that needs no control plane
	@$(MAKE) --no-print-directory --jobs 2 lint suite

suite: $(VENV)
	@$(RUN) -m tools test > /dev/null
	@$(RUN) -m compileall -q src # once, not in each process that a test starts
	@$(RUN) -m pytest --numprocesses auto --dist worksteal

lint: $(VENV)
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check --quiet
	@$(RUN) -m mypy

e2e: $(VENV) ## install rendered repositories on a real control plane with the real engines
	@$(RUN) -m tools e2e > /dev/null
	@$(RUN) -m pytest --numprocesses 4 tests/e2e

proxy: $(VENV) $(PROXY) ## call every model through the real LiteLLM Proxy, without any cloud
	@$(RUN) -m tools sops helm valkey-server etcd kube-apiserver kubectl > /dev/null
	@$(RUN) -m pytest --numprocesses 3 --dist loadfile -m proxy tests/proxy

bench: $(VENV) ## measure, and print one table
	@$(RUN) -m tools test > /dev/null
	@$(RUN) -m bench

clean: ## remove .venv, .venv-proxy and build/, not the cache of the tools
	rm -rf .venv .venv-proxy build .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "installing the Python packages into .venv" >&2
	@$(PYTHON) -m venv --clear .venv
	@$(RUN) -m pip install --quiet --upgrade 'pip>=25.1'
	@$(RUN) -m pip install --quiet --editable '.[suite]' --group dev
	@touch $@

$(PROXY): pyproject.toml
	@echo "installing LiteLLM Proxy into .venv-proxy" >&2
	@test -x .venv-proxy/bin/python || $(PYTHON) -m venv .venv-proxy
	@.venv-proxy/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	@.venv-proxy/bin/python -m pip install --quiet --group proxy
	@.venv-proxy/bin/python -m pip install --quiet --no-deps --upgrade --target .venv-proxy/next --group proxy-next
	@touch $@
