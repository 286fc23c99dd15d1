# `make run` shows what Bursar does; `make test` checks everything.
# Tools of the tests go to target/: nothing is installed into the checkout.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
# Of `make bench`: how many measurements of each kind, and how long each is.
RUNS ?= 5
SECONDS ?= 60
# Of `make bench-growth`: stored payouts at which is measured.
SIZES ?= 10000 1000000 10000000
.PHONY: help run bench bench-growth test crash machine tools format clippy contract suites

# A line in the log where a phase begins, with the time since the start.
STARTED := $(shell date +%s)
PHASE = @printf '\n=== %s (%ss)\n' "$(1)" $$(( $$(date +%s) - $(STARTED) ))

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

run: ## A shop's day, on an embedded store
	cargo run --locked --release -- demo

bench: ## Bursar beside a no-op, PostgreSQL and Redis; RUNS=1 SECONDS=5 for a short one
	@bench/machine.sh
	cargo build --locked --release
	cargo bench --locked --bench decision --no-run
	@bench/run --runs $(RUNS) --seconds $(SECONDS)

bench-growth: RUNS = 3
bench-growth: SECONDS = 20
bench-growth: ## What grows with 10,000,000 stored payouts; SIZES="10000 100000" for a look
	cargo build --locked --release
	@bench/growth --sizes $(SIZES) --runs $(RUNS) --seconds $(SECONDS)

test: machine tools format clippy contract suites ## Everything, with what it needs
	$(call PHASE,all good)

crash: ## Kills, lost writes and damage at length; SEED=… repeats what was drawn
	$(call PHASE,build)
	@cargo test --locked --release --no-run --test power --test crash --test store
	$(call PHASE,kills and lost writes and damage and sown bugs: some 20 minutes)
	@CRASH=full cargo test --locked --release --test power -- --nocapture --test-threads=1
	$(call PHASE,failing disks and the store by itself)
	@cargo test --locked --release --test crash --test store
	$(call PHASE,all good)

machine: ## What this machine needs for the tests
	$(call PHASE,machine)
	@tests/machine.sh

tools: machine ## What the tests need from npm and PyPI
	$(call PHASE,tools)
	@tests/lint/setup.sh
	@tests/clients/setup.sh

format: ## The code is formatted
	$(call PHASE,format)
	@if cargo fmt --version >/dev/null 2>&1; then cargo fmt --check; \
	else echo '!!! NOT CHECKED: this toolchain has no rustfmt (rustup component add rustfmt)'; fi

clippy: ## No lint fires
	$(call PHASE,clippy)
	@if cargo clippy --version >/dev/null 2>&1; then cargo clippy --locked --all-targets -- -D warnings; \
	else echo '!!! NOT CHECKED: this toolchain has no clippy (rustup component add clippy)'; fi

contract: tools ## The contract is linted
	$(call PHASE,contract)
	@"$$(tests/lint/setup.sh)" lint && echo 'buf lint: clean'

suites: tools ## All test suites, the Python client among them
	$(call PHASE,build of the tests)
	@cargo test --locked --no-run
	$(call PHASE,tests)
	@cargo test --locked --no-fail-fast
