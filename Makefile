# VENV is where everything is installed; PYTHON makes it (3.10 or newer).
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := -m pip -qq --disable-pip-version-check
# Paddle's own threads and pytest's processes fight for the cores: one thread each is fastest. Neighbouring tests stay
# in one process, which makes what they share once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal
# Without its pins, which force OpenCV 4.6 and NumPy 1.
PADDLESLIM := paddleslim==2.6.0
PADDLES := 3.1.1 3.2.2 3.3.1
# With what its classifiers, segmenters and detectors import.
PADDLEX := paddlex==3.7.2 opencv-contrib-python pyclipper shapely scikit-learn lxml pypdfium2
# Suites that the recipes are for, and what they import: their own pins force OpenCV 4.6 and NumPy 1.
SUITES := paddleseg==2.8.0 paddledet==2.6.0
SUITES_IMPORT := 'numpy<2.4' scikit-learn scipy requests six tqdm filelock prettytable pycocotools pandas easydict visualdl
# What makes the pages of the docs a site.
MKDOCS := mkdocs-material==9.8.2 mkdocstrings[python]==1.0.8 mkdocstrings-python==2.0.11 griffe-pydantic==1.3.2
# What sees which thread holds Python's lock.
SPY := py-spy==0.4.3

.PHONY: help setup demo test lint format docs bench-sweep bench-repair bench-retrain bench-budgets bench-latency bench-outputs bench-solver bench-int8 bench-scale bench-decode fuzz faults coverage tracing test-slow test-paddles test-paddlex test-suites test-browser test-ray ray clean

help:
	@echo "make setup         install everything into $(VENV)"
	@echo "make demo          train, analyze, prune, retrain and compare, on real data"
	@echo "make test          lint, check types and contracts, run the tests"
	@echo "make lint          the checks without the tests"
	@echo "make format        format the code, fix what ruff can fix"
	@echo "make docs          the pages of docs/ as a site, in output/site; fails at a broken link"
	@echo "make bench-sweep   the sensitivity sweep, exact and adaptive, beside PaddleSlim's (50 minutes)"
	@echo "make bench-repair  cuts repaired in closed form, beside what else could be done (an hour; more with --epochs)"
	@echo "make bench-retrain what brings a cut network back at equal epochs: from the cut, repaired, with a teacher (hours)"
	@echo "make bench-budgets what is left of a network at a budget, beside other ways to choose what goes (an hour)"
	@echo "make bench-latency plans that are asked for a latency: met or not, and what whole blocks give (half an hour)"
	@echo "make bench-outputs what a segmenter's sweep saves by not handing on its scores"
	@echo "make bench-solver  how long a plan for 500 groups takes, and what exchange between groups gains"
	@echo "make bench-int8    INT8 after training: what it costs and saves, dense and pruned (half an hour)"
	@echo "make bench-scale   large lists, and how much two workers save, as processes and on Ray; simulated for more (20 minutes)"
	@echo "make bench-decode  how long decoding holds Python's lock, and what processes would cost (5 minutes)"
	@echo "make fuzz          prune 10,000 random networks at random"
	@echo "make faults        kill commands at random, damage files: nothing may be lost (over half an hour)"
	@echo "make coverage      how many filters of published networks can be removed; beside PaddleSlim"
	@echo "make tracing       how long it takes to find a network's groups; beside PaddleSlim"
	@echo "make test-slow     the proofs that take minutes"
	@echo "make test-paddles  the tests on Paddle $(PADDLES)"
	@echo "make test-paddlex  exports for PaddleX, read by PaddleX itself, beside predict (10 minutes)"
	@echo "make test-suites   the recipes of docs/recipes, in the suites themselves; PADDLECLAS=… is a checkout of PaddleClas (5 minutes)"
	@echo "make test-browser  reports in Chromium, which is installed from Debian where it isn't"
	@echo "make test-ray      sweeps on a Ray cluster on this machine: the same tables to the bit (5 minutes)"
	@echo "make clean         remove $(VENV), caches and outputs"

setup: $(VENV)/.installed-dev

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	@echo "Installing everything into $(VENV): a few minutes, once"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) install -c constraints.txt -e '.[cpu,demo,vdl,onnx,openvino,paddleslim,dev]'
	$(BIN)/python $(PIP) install --no-deps $(PADDLESLIM)
	@touch $@

$(VENV)/.installed-demo: pyproject.toml constraints.txt
	@echo "Installing into $(VENV): a few minutes, once"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) install -c constraints.txt -e '.[cpu,demo]'
	@touch $@

demo: $(VENV)/.installed-demo
	$(BIN)/paddleprune demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

test: lint
	$(PYTEST)

bench-sweep: setup
	$(BIN)/python benchmarks/sweep.py

bench-repair: setup
	$(BIN)/python benchmarks/repair.py

bench-retrain: setup
	$(BIN)/python benchmarks/retrain.py

bench-budgets: setup
	$(BIN)/python benchmarks/budgets.py

bench-latency: setup
	$(BIN)/python benchmarks/latency.py

bench-outputs: setup
	$(BIN)/python benchmarks/outputs.py

bench-solver: setup
	$(BIN)/python benchmarks/solver.py

bench-int8: setup
	$(BIN)/python benchmarks/int8.py

bench-scale: ray
	$(VENV)-ray/bin/python benchmarks/scale.py

bench-decode: setup
	$(PYTHON) -m venv $(VENV)-spy
	$(VENV)-spy/bin/python $(PIP) install $(SPY)
	$(BIN)/python benchmarks/decode.py --spy $(VENV)-spy/bin/py-spy

fuzz: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m paddleprune.testing.fuzz --networks 10000 --jobs 2

faults: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.faults

coverage: setup
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/coverage.py

tracing: setup
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/tracing.py

test-slow: setup
	$(PYTEST) -m slow

test-paddles: $(PADDLES:%=test-paddle-%)

test-paddle-%:
	$(PYTHON) -m venv $(VENV)-paddle-$*
	grep -v '^paddlepaddle==' constraints.txt > $(VENV)-paddle-$*/constraints.txt
	$(VENV)-paddle-$*/bin/python $(PIP) install -c $(VENV)-paddle-$*/constraints.txt -e '.[demo,vdl,onnx,openvino,paddleslim,dev]' paddlepaddle==$*
	$(VENV)-paddle-$*/bin/python $(PIP) install --no-deps $(PADDLESLIM)
	OMP_NUM_THREADS=1 $(VENV)-paddle-$*/bin/pytest -n auto --maxprocesses 4 --dist worksteal

test-paddlex: setup
	$(PYTHON) -m venv $(VENV)-paddlex
	$(VENV)-paddlex/bin/python $(PIP) install paddlepaddle==$(lastword $(PADDLES)) $(PADDLEX)
	OMP_NUM_THREADS=1 PADDLEX_PYTHON=$(VENV)-paddlex/bin/python $(BIN)/pytest -m slow tests/paddlex

test-suites: setup suite-paddleseg suite-paddledet
	patch -p1 -d $(VENV)-paddleseg/lib/python3*/site-packages < docs/recipes/paddleseg-2.8.0.patch
	OMP_NUM_THREADS=1 PADDLESEG_PYTHON=$(VENV)-paddleseg/bin/python PADDLEDET_PYTHON=$(VENV)-paddledet/bin/python $(BIN)/pytest -m slow tests/suites

suite-%:
	$(PYTHON) -m venv $(VENV)-$*
	grep -v '^numpy==' constraints.txt > $(VENV)-$*/constraints.txt
	$(VENV)-$*/bin/python $(PIP) install -c $(VENV)-$*/constraints.txt -e '.[cpu]' $(SUITES_IMPORT)
	$(VENV)-$*/bin/python $(PIP) install --no-deps --force-reinstall $(filter $*==%,$(SUITES))

docs:
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python $(PIP) install $(MKDOCS)
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build

test-browser: setup
	command -v chromium || apt-get install -y chromium || sudo apt-get install -y chromium
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow tests/reports/test_in_browser.py

ray:
	$(PYTHON) -m venv $(VENV)-ray
	$(VENV)-ray/bin/python $(PIP) install -c constraints.txt -e '.[cpu,demo,ray,dev]'

test-ray: ray
	OMP_NUM_THREADS=1 $(VENV)-ray/bin/pytest tests/ray

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VENV)-paddlex $(VENV)-paddleseg $(VENV)-paddledet $(VENV)-ray $(VENV)-spy $(VENV)-docs $(PADDLES:%=$(VENV)-paddle-%) output dist
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
