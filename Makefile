# Everything starts from Python >= 3.11, a C++ compiler and the package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo window test test-training lint bench lock clean

help:
	@echo "make demo    set up, scan the demo images, print the verdicts, build a takedown packet"
	@echo "make test    set up, run every check and test without a screen"
	@echo "make test-training   the tests of the recipes, which need PyTorch (large)"
	@echo "make window  set up, open the window"
	@echo "make lint    style, types and borders alone"
	@echo "make bench PEER_PYTHON=… PEER_SCRIPT=… FOLDER=…   speed and memory beside a peer"
	@echo "make lock    renew requirements.lock (needs uv)"

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Counterproof needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	@command -v c++ >/dev/null || command -v g++ >/dev/null || { echo "A C++ compiler is needed to build pdqhash. On Debian: apt-get install g++ python3-dev python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps -e .
	@touch $@

setup: $(VENV)/.ready

# Exit status 1 says that a file could not be scanned: the demo holds one damaged picture on purpose.
demo: setup
	@$(BIN)/counterproof scan --age adults resources/demo/[01]* || test $$? -eq 1
	@echo
	@echo "And one of them again, beside the photo that it was made from:"
	@$(BIN)/counterproof scan --age adults --quiet --references resources/demo/10-photo-source.jpg resources/demo/11-photo-edited.jpg
	@echo
	@echo "And a takedown request by an invented councillor, built and verified:"
	@rm -rf $(VENV)/demo-packet
	@$(BIN)/counterproof packet build resources/demo/request.toml -o $(VENV)/demo-packet --key $(VENV)/demo-key.pem
	@$(BIN)/counterproof packet verify $(VENV)/demo-packet/*.zip
	@echo
	@echo "To open the window:  $(BIN)/counterproof window resources/demo"

window: setup
	$(BIN)/counterproof window

# What needs PyTorch: the recipes behind the weights. The other tests skip these; run them after a change there.
test-training: setup
	$(BIN)/pip install --quiet -e '.[test,train]'
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest tests/unit/test_training_*.py tests/unit/test_local_edit.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup lint
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest

bench: setup
	$(BIN)/python tests/benchmarks/bench_peer.py --peer-python $(PEER_PYTHON) --peer-script $(PEER_SCRIPT) $(FOLDER)

lock:
	uv pip compile --universal --generate-hashes --extra test pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build dist *.egg-info
