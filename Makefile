# `make report` and `make test` set everything up by themselves. Output goes to build/.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; \
	done; echo python3)
BUILD := $(or $(LATENTWALK_BUILD),build)
BIN := .venv/bin
# so that a quarto installed into .venv by pip is also found
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: help setup report watch test grade sabotage gradescope reproduce seeds bench doctor check lint check-install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.stamp ## create .venv with everything that is needed

report: .venv/.stamp .venv/.quarto-tried ## make build/report.pdf, .html and .ipynb
	@$(RUN) $(BIN)/latentwalk render

watch: .venv/.stamp ## render whenever a file is saved; the page in the browser reloads
	@$(RUN) $(BIN)/latentwalk render --engine embedded --watch

test: report ## run every test and grade the report; the score comes last
	@$(RUN) $(BIN)/python tools/run_tests.py

grade: report ## make the report, then run `latentwalk grade`, which packs and grades it
	@$(BIN)/latentwalk grade

sabotage: report ## grade the broken submissions of the tests; print the points each must lose and lost
	@$(BIN)/python tests/sabotage_table.py

gradescope: .venv/.stamp ## make build/gradescope.zip, an autograder for Gradescope
	@$(BIN)/python tools/gradescope.py $(if $(PYTORCH_INDEX),"$(PYTORCH_INDEX)")

reproduce: .venv/.stamp ## train everything again from nothing, compare with the released models
	@LATENTWALK_BUILD="$(BUILD)/reproduce" $(BIN)/python bench/reproduce.py

seeds: .venv/.stamp ## train every model from five seeds, and save the measurements in assets/seeds.json
	@LATENTWALK_BUILD="$(BUILD)/seeds" $(BIN)/python bench/seeds.py

bench: .venv/.stamp ## measure speed, memory, time to quality, and each command; takes an hour
	@$(BIN)/python bench/steps.py
	@KINETO_LOG_LEVEL=99 $(BIN)/python bench/parts.py
	@$(BIN)/python bench/growth.py
	@$(RUN) $(BIN)/python bench/commands.py
	@$(BIN)/python bench/quality.py

doctor: .venv/.stamp ## say what this machine has, what is missing, and how to fix it
	@$(RUN) $(BIN)/latentwalk doctor

check: .venv/.stamp ## a minute: style, types, and the tests of the code that changes most
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python tools/run_tests.py --quick

lint: .venv/.stamp ## check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

check-install: .venv/.stamp ## build the wheels and use them in a fresh environment; takes minutes
	@$(BIN)/python tools/check_install.py

clean: ## remove build/, with the weights that were trained here, and the tools' caches
	rm -rf build .pytest_cache .ruff_cache .mypy_cache .hypothesis .quarto

.venv/.stamp: pyproject.toml src/problemset/pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "setup: there is no $(PYTHON);" \
	"install Python 3.11 or newer, or name one: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) tools/setup_venv.py venv

.venv/.quarto-tried: | .venv/.stamp
	@$(PYTHON) tools/setup_venv.py quarto
