# The only door: demo, test, check, bench. Each sets up what it needs.
# Paths are relative, so that a checkout may lie in a folder with blanks in its name.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: demo test check bench bench-s3 simulate format requirements clean

demo: $(VENV)/.ready ## a real job over real S3 data, from nothing, in a minute
	$(PY) scripts/demo.py

test: $(VENV)/.ready ## everything that can run here; with CI=true nothing may be skipped
	sh scripts/install_test_servers.sh
	$(PY) -m pytest -n 2 --dist loadgroup

check: $(VENV)/.ready ## format, lint, types, import contracts, sizes
	$(PY) -m ruff format --check --quiet .
	$(PY) -m ruff check --quiet .
	$(PY) scripts/check_sizes.py
	$(VENV)/bin/lint-imports --no-cache
	$(PY) -m mypy

PARTS ?=
ROWS ?=
bench: $(VENV)/.ready ## figures beside those of other programs, in one run; PARTS="listing ..." for some
	$(PY) -m bench $(PARTS)

bench-s3: $(VENV)/.ready .build/bench/.ready ## S3 transfers beside s5cmd and boto3; ROWS="small far" for some
	sh scripts/install_test_servers.sh
	$(PY) -m bench.s3 $(ROWS)

simulate: $(VENV)/.ready ## whole clusters in virtual time, from 500 seeds
	$(PY) -m bacalhau.simulation --seeds 500

format: $(VENV)/.ready
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

requirements: $(VENV)/.ready ## pin the newest versions again, with hashes
	$(PY) -m uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url \
	  --no-header --python-version 3.11 pyproject.toml requirements/dev.in -o requirements/dev.txt
	$(PY) -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	  --no-header --python-version 3.11 pyproject.toml --constraint requirements/dev.txt \
	  -o requirements/runtime.txt
	$(PY) -m uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url \
	  --no-header --python-version 3.11 requirements/bench.in -o requirements/bench.txt

$(VENV)/.ready: scripts/setup.sh requirements/dev.txt pyproject.toml
	PYTHON="$(PYTHON)" sh scripts/setup.sh "$(VENV)"

.build/bench/.ready: requirements/bench.txt | $(VENV)/.ready
	$(PY) -m uv pip install --quiet --target .build/bench --require-hashes \
	  --requirement requirements/bench.txt
	touch $@

clean:
	rm -rf $(VENV) .build .mypy_cache .ruff_cache .pytest_cache .hypothesis
