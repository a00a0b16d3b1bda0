# Thin on purpose: each target is the command you would type. `make setup` builds .venv once, with uv where it
# is on the path and works, otherwise with python3 -m venv and pip; both install exactly what the lock files say.

BIN := .venv/bin
READY := .venv/.ready
BENCH := .venv/.bench
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
ARGS ?=
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links pyproject.toml

export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup test demo lint bench crash soak soak-real lock ci
setup: $(READY)

test: $(READY)  ## make test ARGS="-k settings"; three processes for two cores, as many tests wait for others
	$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

demo: $(READY)
	$(BIN)/rosterd demo $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BENCH)
	$(BIN)/python -m benchmarks $(ARGS)

crash: $(READY)  ## every HTTP call and every commit, instead of the sample that `make test` takes
	ROSTERD_TEST_CRASH=full $(BIN)/python -m pytest tests/system/test_crash.py -s --timeout 0 $(ARGS)

soak: $(READY)  ## the service among people and failing platforms, in simulated time: ARGS="--hours 720 --people 2000 --seed 7"
	$(BIN)/python -m tests.soak $(ARGS)

soak-real: $(READY)  ## the real process against the sandbox, with faults and kills, in real time: ARGS="--minutes 30"
	$(BIN)/python -m benchmarks.soak $(ARGS)

lock:  ## needs uv
	$(COMPILE) -o requirements.lock
	$(COMPILE) --group dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --group bench -c requirements-dev.lock -o requirements-bench.lock

ci:
	.ci/run

$(READY): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "rosterd needs Python 3.11 or newer, with its venv module"; exit 1; }
	sh .ci/install $(PYTHON) .venv requirements-dev.lock
	sh .ci/install $(PYTHON) .venv --no-build-isolation -e .
	@touch $@

$(BENCH): $(READY) requirements-bench.lock
	sh .ci/install $(PYTHON) .venv --more requirements-bench.lock
	@touch $@
