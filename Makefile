# Everything stays in this checkout: Python packages in .venv, all that is made in build. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
PYTEST := $(BIN)/python -m pytest
PARALLEL := -n auto --dist loadfile
# Options passed on to pytest: make test-device ARGS="-k 'der and unix'"
ARGS ?=
# Compilers at a time: make firmware-pico JOBS=1
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_REQUIRE_VIRTUALENV := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-device test-host test-interop test-board lint format docs size mpy firmware-pico
.PHONY: firmware packages emulator bench bench-board clean distclean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1#\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS='#' read -r t d; do printf '%-16s%s\n' "$$t" "$$d"; done

setup: $(READY) ## Install the pinned Python packages into .venv

# The stamp is newer than the lists that it was made from, so a second run does nothing.
$(READY): host_tools/requirements.txt tests/requirements.txt host_tools/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'certlet needs Python 3.11 or later: install it, or name one by make PYTHON=/path/to/python3' >&2; exit 1; }
	@rm -f $@
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -r host_tools/requirements.txt -r tests/requirements.txt
	$(BIN)/python -m pip install -q --no-build-isolation --no-deps -e host_tools
	@touch $@

demo: $(READY) ## Enrol a simulated board at a lab CA and use its certificate in mutual TLS
	@$(BIN)/python -m certlet_host.demo

test: $(READY) ## Run all tests but those of test-board (ARGS="..." goes to pytest)
	@$(PYTEST) $(PARALLEL) --ignore=tests/board $(ARGS)

test-device: $(READY) ## Run the device tests, on CPython and on MicroPython
	@$(PYTEST) $(PARALLEL) tests/device $(ARGS)

test-host: $(READY) ## Run the tests of the host tools
	@$(PYTEST) $(PARALLEL) tests/host $(ARGS)

test-interop: $(READY) ## Run the tests against other implementations (openssl)
	@$(PYTEST) $(PARALLEL) tests/interop $(ARGS)

test-board: firmware-pico emulator ## Run the tests on an emulated Raspberry Pi Pico
	@$(PYTEST) $(PARALLEL) --timeout=300 tests/board $(ARGS)

bench: $(READY) ## Count the bytes of each operation on the wire, and time cryptography on the unix port
	@$(BIN)/python tests/bench.py

bench-board: firmware-pico emulator ## Time cryptography on the emulated Pico, in its own cycles
	@$(BIN)/python tests/board/bench.py $(ARGS)

lint: $(READY) ## Check style, spelling and commit subjects
	@$(BIN)/ruff check
	@$(BIN)/codespell
	@$(BIN)/python tests/subjects.py

format: $(READY) ## Mend by ruff what it can mend by itself (import order, old idioms)
	@$(BIN)/ruff check --fix

docs: $(READY) ## Write the generated pages of docs/
	@$(BIN)/python tests/codes.py --write

size: $(READY) ## Print what each device module takes on flash, against the budgets
	@$(BIN)/python tests/size.py

mpy: $(READY) ## Compile the firmware into build/mpy/ARCH, to be copied to a board or installed by mip
	@$(BIN)/python -m certlet_host.image mpy

packages: $(READY) ## Write the lists of files for mip, firmware/package*.json
	@$(BIN)/python -m certlet_host.image packages

firmware-pico: $(READY) ## Build build/firmware/RPI_PICO.uf2 with certlet frozen in; needs no checkout of MicroPython
	@$(BIN)/python -m certlet_host.image pico --jobs $(JOBS)

# BOARD is a folder of boards/; ARGS=--dry-run only prints the commands
firmware: $(READY) ## Build an image by a checkout of MicroPython: make firmware BOARD=... MICROPYTHON_DIR=...
	@$(BIN)/python -m certlet_host.image board $(BOARD) --micropython "$(MICROPYTHON_DIR)" --jobs $(JOBS) $(ARGS)

emulator: build/emulator/bootrom.bin ## Get the emulated Pico into build/emulator; needs node 20 or later

EMULATOR := host_tools/certlet_host/emulator
build/emulator/bootrom.bin: $(READY) $(EMULATOR)/package-lock.json $(EMULATOR)/install.py
	@$(BIN)/python -m certlet_host.emulator install

clean: ## Remove what was built; keep .venv
	@rm -rf build .pytest_cache .ruff_cache .hypothesis
	@find firmware host_tools tests boards -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove .venv too
	@rm -rf $(VENV) host_tools/*.egg-info
