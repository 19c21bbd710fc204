# Works with nothing but Python 3.11 or newer, git and make; `make help` says what there is.

PYTHON_IN = .venv/bin/python
STAMP = .venv/.fanfold-pyproject.toml
# One more than there are processors: tests wait for programs now and then.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
# Each works through neighbours, so that what is imported, or made for a whole file, is so by one of them.
PARALLEL = -n $(WORKERS) --dist worksteal
PYTEST_ARGS ?=
BENCHMARKS = $(filter-out benchmarks/packages.py benchmarks/demo.py,$(wildcard benchmarks/*.py))

# Where nothing that is compiled may be kept, each program that a test starts compiles all of Fanfold anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL = help
.PHONY: help demo test soak agents lint bench reference clean

help: ## Show this help
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(STAMP) ## Fix a real package from PyPI, verified with its own tests
	@$(PYTHON_IN) benchmarks/demo.py

test: $(STAMP) ## Run the whole test suite
	@$(PYTHON_IN) -m pytest $(PARALLEL) $(PYTEST_ARGS)

soak: $(STAMP) ## Run the long versions of the randomised tests
	@$(PYTHON_IN) -m pytest $(PARALLEL) -m "soak or hypothesis" --hypothesis-profile=soak $(PYTEST_ARGS)

agents: $(STAMP) ## Test the real programs of agents, those on PATH, with a scripted model
	@$(PYTHON_IN) -m pytest -m programs tests/agents/presets/test_real.py $(PYTEST_ARGS)

lint: $(STAMP) ## Check style, types and the import contract
	@$(PYTHON_IN) -m ruff check .
	@$(PYTHON_IN) -m ruff format --check .
	@$(PYTHON_IN) -m mypy
	@.venv/bin/lint-imports --no-logo --no-cache

bench: $(STAMP) ## Measure what README and docs claim; takes minutes
	@set -e; for benchmark in $(BENCHMARKS); do echo "== $$benchmark"; $(PYTHON_IN) $$benchmark; done

reference: $(STAMP) ## Write docs/reference from the docstrings
	@$(PYTHON_IN) docs/reference/generate.py

clean: ## Remove the environment, the demo and caches
	rm -rf .venv .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist
	rm -rf benchmarks/.cache benchmarks/results
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml .ci/environment
	@sh .ci/environment
