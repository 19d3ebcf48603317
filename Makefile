# Two commands: `make run` sets everything up and lets a real model answer; `make test` sets up and runs the tests.
PYTHON ?= python3.11
BIN := .venv/bin

PROBLEM := A farmer has 12 cows. He buys 9 more cows. How many cows does the farmer have now?

.PHONY: run test slow lint bench clean

run: .venv/installed .venv/kernels
	@$(BIN)/phiforge pull smollm2-135m-instruct
	@echo; echo "The problem: $(PROBLEM)"; echo
	@$(BIN)/phiforge ask --votes 16 --seed 1 --max-tokens 120 "$(PROBLEM)"
	@echo
	@echo "Try next:"
	@echo "  $(BIN)/phiforge chat                        talk with it (Ctrl-C stops an answer, /help lists commands)"
	@echo "  $(BIN)/phiforge doctor                      what this machine can run, up to phi-4"
	@echo "  $(BIN)/phiforge pull phi-4-mini-instruct    a stronger model (7.7 GB), then: $(BIN)/phiforge ask -m phi-4-mini-instruct '...'"

test: .venv/installed-dev .venv/kernels
	$(BIN)/phiforge pull smollm2-135m-instruct
	$(BIN)/python -m pytest

slow: .venv/installed-dev .venv/kernels
	$(BIN)/python -m pytest -m slow

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: .venv/installed-bench .venv/kernels
	$(BIN)/python bench/generate.py --prepare
	$(BIN)/python bench/generate.py

# Each stamp is a set of extras. From 25.1 on, pip resumes a broken download.
.venv/installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv (a minute or two, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/installed-%: pyproject.toml .venv/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$*]"
	@touch $@

# Installing builds the kernels; this builds them again when a source has changed. Without a compiler all goes on.
.venv/kernels: phiforge/kernels/build.py $(wildcard phiforge/kernels/src/*) | .venv/installed
	@$(BIN)/python -m phiforge.kernels.build --if-stale || true
	@touch $@

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis
