# The two commands of the README, and what they share. Everything made by hand or by them lives in .venv and build.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-long test-interop lint clean distclean

demo: $(VENV)/.run
	$(BIN)/tritweave generate mnist -o build/mnist
	$(BIN)/tritweave simulate mnist --images 1000 --json build/mnist/figures.json
	$(BIN)/tritweave talk stories --port sim --fold 16x16x8 --prompt "Once upon a time" --tokens 60 --json build/story.json

test: lint
	$(BIN)/pytest -n 2 --dist worksteal

# A million requests over a line that damages them, one line a seed; an interrupted run goes on with `-k`.
test-long: $(VENV)/.test
	$(BIN)/pytest -v -n 2 -m long tests

test-interop: $(VENV)/.interop
	$(BIN)/pytest tests/interop

lint: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --project pyproject.toml
	$(BIN)/lint-imports

$(VENV)/.run: pyproject.toml constraints.txt
	@echo "installing into $(VENV); this takes half a minute"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "installing the tools of the tests into $(VENV); this takes half a minute"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

$(VENV)/.interop: $(VENV)/.test
	@echo "installing PyTorch and transformers into $(VENV); this takes minutes"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[interop]'
	touch $@

clean:
	rm -rf build

distclean: clean
	rm -rf $(VENV)
