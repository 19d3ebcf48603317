# Two commands: `make run` sets everything up, lets a real model answer, and makes it better at something in a few minutes;
# `make test` sets up and runs the tests.
PYTHON ?= python3.11
BIN := .venv/bin

PROBLEM := Mira has 14 boxes with 6 pens each. She gives 20 pens away. How many pens are left?
RIDDLE := Mira and Jonas sing in a choir. Mira is 34 years old and Jonas is 8 years younger. How old will Jonas be in 5 years?

.PHONY: run test slow lint bench clean

run: .venv/installed .venv/kernels
	@$(BIN)/phiforge pull phiforge-135m-reasoning
	@echo; echo "The problem: $(PROBLEM)"; echo
	@$(BIN)/phiforge ask --votes 16 --seed 1 --max-tokens 120 "$(PROBLEM)"
	@echo; echo "Now its base learns to solve riddles about ages, from problems made here, in about 7 minutes"
	@echo "(what is done already is not done again; runs/ages has all of it):"; echo
	@$(BIN)/phiforge forge recipes/forge/ages.toml
	@echo; echo "One that it has not seen: $(RIDDLE)"; echo
	@echo "Before:"; echo; $(BIN)/phiforge ask -m smollm2-135m-instruct --votes 16 --seed 1 --max-tokens 160 "$(RIDDLE)"
	@echo; echo "After:"; echo; $(BIN)/phiforge ask -m runs/ages/model-int8 --votes 16 --seed 1 --max-tokens 160 "$(RIDDLE)"
	@echo
	@echo "Try next:"
	@echo "  $(BIN)/phiforge chat                        talk with it (Ctrl-C stops an answer, /help lists commands)"
	@echo "  runs/ages/report.html                        how it got better, and what it cost"
	@echo "  $(BIN)/phiforge forge --seeds mine.jsonl -o runs/mine    the same with problems of your own (docs/forge.md)"
	@echo "  $(BIN)/phiforge doctor                      what this machine can run, up to phi-4"
	@echo "  $(BIN)/phiforge pull phi-4-mini-instruct    a stronger model (7.7 GB), then: $(BIN)/phiforge ask -m phi-4-mini-instruct '...'"

test: .venv/installed-dev .venv/kernels
	$(BIN)/phiforge pull phiforge-135m-reasoning
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
