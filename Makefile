# One command per task. A new machine needs a Rust toolchain, Python 3 with venv, and make; the rest is installed into .venv.
#
#   make test                      everything that CI runs
#   make python-test WHEEL=path CLI_WHEEL=path    test these wheels instead of building them
#   make PYTHON=python3.13 ...     the Python for .venv (run make clean-venv before changing it)

PYTHON ?= python3
CARGO ?= cargo
# Set it empty to change dependencies: make LOCKED= rust-test
LOCKED ?= --locked
# Seconds per fuzz target.
FUZZ_SECONDS ?= 60
# Tests mostly wait: one process more than processors.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(min(os.cpu_count() or 1, 3) + 1)")
# The programs that cargo builds along with the tests for Windows.
WINDOWS_PROGRAMS := target/cross/x86_64-pc-windows-gnu/debug
# The targets that make check-platforms checks; all of them if it is empty.
PLATFORMS ?=
# More arguments for pytest: make python-test PYTEST_ARGS="-k uv -x"
PYTEST_ARGS ?=
# The checks of cargo-deny.
DENY ?= licenses bans sources

VENV := .venv
BIN := $(VENV)/bin
# Touched when .venv is up to date with tests/requirements.txt.
VENV_READY := $(VENV)/.ready
# Keeps details of the build machine out of wheels.
NEUTRAL := $(BIN)/python $(CURDIR)/.ci/neutral.py
# The environment in which mypy finds the installed wheel, separate from the tools.
STUBS_VENV := target/stubs-venv

# WHEEL=path and CLI_WHEEL=path skip the build. The build leaves exactly one wheel in each directory.
wheel_or_given := $(or $(WHEEL),wheel)
built_or_given = $(or $(WHEEL),$(shell ls target/wheels/ringbearer-*.whl))
cli_or_given := $(or $(CLI_WHEEL),cli-wheel)
built_or_given_cli = $(or $(CLI_WHEEL),$(shell ls target/cli-wheels/ringbearer_cli-*.whl))

# PyO3 is built for this Python; the same Python in every recipe avoids rebuilds.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Cargo and pytest are parallel themselves and share one target directory.
.NOTPARALLEL:
.PHONY: help venv wheel cli-wheel wheel-debug fmt lint rust-test fuzz stubs python-test windows-test check-platforms workflows deny reproducible test demo bench clean clean-venv

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-15s %s\n", $$1, $$2 }'

venv: $(VENV_READY) ## create .venv with the pinned development tools
	@echo "== development tools: $(VENV)"

$(VENV_READY): tests/requirements.txt
	@command -v $(CARGO) >/dev/null 2>&1 || { echo "No cargo on PATH: install a Rust toolchain (1.89 or newer)." >&2; exit 1; }
	@echo "== installing the development tools into $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --requirement tests/requirements.txt
	@touch $@

wheel: $(VENV_READY) ## build the release wheel into target/wheels
	@echo "== building the wheel"
	@rm -rf target/wheels
	@$(NEUTRAL) run $(BIN)/maturin build --quiet --release $(LOCKED) --interpreter $(PYO3_PYTHON) --out target/wheels
	@$(NEUTRAL) tidy target/wheels/*.whl
	@ls -l target/wheels/*.whl | awk '{ printf "   %s, %d KiB\n", $$NF, $$5 / 1024 }'

cli-wheel: $(VENV_READY) ## build the native programs, as a wheel, into target/cli-wheels
	@echo "== building the native programs"
	@rm -rf target/cli-wheels
	@cd cli && $(CURDIR)/$(NEUTRAL) run ../$(BIN)/maturin build --quiet --release $(LOCKED) --out ../target/cli-wheels
	@$(NEUTRAL) tidy target/cli-wheels/*.whl
	@ls -l target/cli-wheels/*.whl | awk '{ printf "   %s, %d KiB\n", $$NF, $$5 / 1024 }'

wheel-debug: $(VENV_READY) ## build a debug wheel quickly into target/wheels-debug
	@echo "== building the debug wheel"
	@rm -rf target/wheels-debug
	@$(BIN)/maturin build --quiet --profile dev --strip false $(LOCKED) --interpreter $(PYO3_PYTHON) --out target/wheels-debug
	@echo "   to test it: make python-test WHEEL=$$(ls target/wheels-debug/*.whl)"

fmt: $(VENV_READY) ## format Rust and Python
	@$(CARGO) fmt
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

lint: $(VENV_READY) ## check formatting; clippy for every feature; ruff
	@echo "== cargo fmt --check"
	@$(CARGO) fmt --check
	@echo "== clippy"
	@$(CARGO) clippy --quiet $(LOCKED) --all-targets -- -D warnings
	@echo "== clippy, with the fuzz targets' functions"
	@$(CARGO) clippy --quiet $(LOCKED) --features fuzzing -- -D warnings
	@echo "== clippy, with the native programs and Python"
	@$(CARGO) clippy --quiet $(LOCKED) --all-targets --features executables,python -- -D warnings
	@echo "== ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

rust-test: ## run the Rust tests (with nextest if installed)
	@echo "== cargo tests"
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run $(LOCKED) --no-fail-fast --status-level fail --final-status-level fail && $(CARGO) test --quiet $(LOCKED) --doc; \
	else \
		$(CARGO) test --quiet $(LOCKED) --no-fail-fast; \
	fi

# Coverage for libFuzzer; --target excludes build scripts. This works with the stable compiler, unlike cargo-fuzz, which needs
# sanitizers; the crate has no `unsafe` for them to check.
FUZZ_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_FLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares

fuzz: ## fuzz each parser for FUZZ_SECONDS, two at a time, from fuzz/corpus
	@echo "== fuzzing: $(FUZZ_SECONDS) s per target"
	@RUSTFLAGS="$(FUZZ_FLAGS)" $(CARGO) build --quiet --release $(LOCKED) --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --target $(FUZZ_HOST)
	@ls fuzz/corpus | xargs -n 1 -P 2 sh -c ' \
		log=target/fuzz/$$1.log; found=target/fuzz/found/$$1; mkdir -p $$found; \
		target/fuzz/$(FUZZ_HOST)/release/$$1 -max_total_time=$(FUZZ_SECONDS) -timeout=10 -artifact_prefix=target/fuzz/$$1- \
			-print_final_stats=1 $$found fuzz/corpus/$$1 >$$log 2>&1 \
			|| { tail -40 $$log; echo "== $$1 failed; the input is beside $$log"; exit 1; }; \
		awk -v name=$$1 "/number_of_executed_units/ { printf \"   %s: %d inputs\n\", name, \$$2 }" $$log' fuzz

stubs: $(wheel_or_given) $(VENV_READY) ## check the type stubs against the built module; mypy --strict
	@echo "== type stubs"
	@$(BIN)/uv venv --quiet --clear --python $(PYO3_PYTHON) $(STUBS_VENV)
	@$(BIN)/uv pip install --quiet --python $(STUBS_VENV) --constraint tests/requirements.txt mypy tox $(built_or_given)
	@cd $(STUBS_VENV)/bin && ./python -m mypy.stubtest ringbearer --mypy-config-file "$(CURDIR)/pyproject.toml"
	@$(STUBS_VENV)/bin/python -m mypy --strict python

python-test: $(wheel_or_given) $(cli_or_given) $(VENV_READY) ## run the Python tests against the built wheels
	@echo "== Python tests against $(built_or_given) and $(built_or_given_cli)"
	@RINGBEARER_WHEEL="$(abspath $(built_or_given))" RINGBEARER_CLI_WHEEL="$(abspath $(built_or_given_cli))" \
		$(BIN)/python -m pytest tests/python --numprocesses $(WORKERS) --dist loadfile $(PYTEST_ARGS)

windows-test: $(VENV_READY) ## build for Windows; run the Rust tests and the native programs under wine
	@echo "== Windows, under wine: Rust tests"
	@$(BIN)/python .ci/cross.py windows
	@echo "== Windows, under wine: native programs"
	@RINGBEARER_WINDOWS_PROGRAMS="$(CURDIR)/$(WINDOWS_PROGRAMS)" \
		$(BIN)/python -m pytest tests/python/windows --numprocesses $(WORKERS) --dist loadfile $(PYTEST_ARGS)

check-platforms: $(VENV_READY) ## clippy for Windows, macOS and musl, from Debian
	@echo "== clippy for other platforms"
	@$(BIN)/python .ci/cross.py check $(PLATFORMS)

workflows: $(VENV_READY) ## check the workflows, offline
	@echo "== workflows"
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/zizmor --quiet --offline --no-progress --persona pedantic .github
	@if command -v actionlint >/dev/null 2>&1; then actionlint; else echo "   (actionlint is not installed: skipped)"; fi

deny: ## check licences, bans and sources of dependencies; advisories need the network (DENY=advisories)
	@echo "== dependencies"
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny $(LOCKED) check $(DENY); \
	else echo "   (cargo-deny is not installed: skipped; CI runs it)"; fi

reproducible: $(VENV_READY) ## build the wheels of the last commit twice, in different directories, and compare them
	@echo "== reproducible wheels"
	@$(BIN)/python .ci/reproducible.py

# Fast parts first; the wheels are built once.
test: ## run everything; stop at the first failure
	@begin=$$(date +%s); timings=""; \
	part() { \
		start=$$(date +%s); \
		$(MAKE) --no-print-directory "$$@" || { echo "== FAILED: make $$*"; exit 1; }; \
		timings="$$timings   $$1: $$(($$(date +%s) - start)) s;"; \
	}; \
	part venv; part workflows; part deny; part lint; part rust-test; part fuzz FUZZ_SECONDS=2; part wheel; part cli-wheel; \
	wheel=$$(ls target/wheels/ringbearer-*.whl); cli=$$(ls target/cli-wheels/ringbearer_cli-*.whl); \
	part stubs WHEEL="$$wheel"; part python-test WHEEL="$$wheel" CLI_WHEEL="$$cli"; \
	missing=$$($(BIN)/python .ci/test_programs.py); \
	[ -z "$$missing" ] || echo "== skipped: tests of browser and desktop keyring need these Debian packages: $$missing"; \
	missing=$$($(BIN)/python .ci/cross.py missing); \
	if [ -z "$$missing" ]; then part windows-test; part check-platforms; \
	else echo "== skipped: windows-test and check-platforms need these Debian packages: $$missing"; fi; \
	echo "== all passed in $$(($$(date +%s) - begin)) s"; \
	echo "$$timings" | tr ';' '\n'

demo: $(wheel_or_given) $(VENV_READY) ## run pip, uv and twine against a private feed on loopback
	@PYTHONPATH=tests $(BIN)/python -m lab.demo --wheel "$(abspath $(built_or_given))"

bench: $(wheel_or_given) $(cli_or_given) $(VENV_READY) ## measure the figures in the README
	@PYTHONPATH=tests $(BIN)/python -m bench --wheel "$(abspath $(built_or_given))"
	@PYTHONPATH=tests $(BIN)/python -m bench.store --wheel "$(abspath $(built_or_given))" --chart docs/store-benchmark.svg
	@PYTHONPATH=tests $(BIN)/python -m bench.command --wheel "$(abspath $(built_or_given))" \
		--cli-wheel "$(abspath $(built_or_given_cli))" --chart docs/command-benchmark.svg
	@PYTHONPATH=tests $(BIN)/python -m bench.peers --wheel "$(abspath $(built_or_given))" \
		--cli-wheel "$(abspath $(built_or_given_cli))" --chart docs/benchmark.svg --table target/benchmark.md

clean: ## remove everything that was built or installed
	@rm -rf target dist
	@rm -rf $(VENV)

clean-venv: ## remove .venv, for example to use another Python
	@rm -rf $(VENV)
