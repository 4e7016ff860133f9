# Everything a newcomer or a developer runs. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

EXAMPLES := hello counter greeter gateway
GUEST_DIR := target/guests/examples
# What is counted is optimised like its dependencies, which are the tests' own.
GATES_OPTIMISED := $(foreach crate,wicker-lattice wicker-engine wicker-process,--config profile.dev.package.$(crate).opt-level=2)
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help up swap tools test-tools guests shop build test lint gates bench clean

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: tools build guests ## Installs what is missing, builds, starts a host and deploys the counter
	$(call say,starting a host with the counter application (Ctrl-C stops it))
	@exec target/release/wicker up examples/counter/wicker.yaml

swap: tools build guests ## Re-points the counter's store to another backend on another host, under traffic
	@exec examples/counter/swap.sh

tools: ## Installs what a host needs: the wasm32-wasip2 target and nats-server
	$(call say,looking for the tools that a host needs)
	@.ci/install host

test-tools: ## Installs what the tests need besides: servers (PostgreSQL, Redis, NATS, a registry), valgrind, Python and JavaScript guests
	$(call say,looking for the tools that the tests need)
	@.ci/install test

guests: ## Builds the example components
	$(call say,building the example components)
	@cd examples && cargo build --release --target wasm32-wasip2 --target-dir ../$(GUEST_DIR)
	@for name in $(EXAMPLES); do cp $(GUEST_DIR)/wasm32-wasip2/release/$$name.wasm examples/$$name/$$name.wasm; done

shop: tools ## Builds the components of examples/shop: Rust, Python and JavaScript
	$(call say,building the shop's components)
	@.ci/install languages
	@cd examples && cargo build --release --target wasm32-wasip2 --target-dir ../$(GUEST_DIR) -p shop-storefront
	@cp $(GUEST_DIR)/wasm32-wasip2/release/shop-storefront.wasm examples/shop/storefront.wasm
	@cd examples/shop/inventory && PYTHONPATH=$(CURDIR)/target/tools/componentize-py python3 $(CURDIR)/target/tools/componentize-py/bin/componentize-py \
		-d ../wit/inventory.wit -w keeper componentize --stub-wasi inventory -o ../inventory.wasm
	@node examples/shop/payments/build.mjs target/tools/javascript/node_modules examples/shop/payments.wasm

build: ## Builds the release `wicker` (about ten minutes on two cores, the first time)
	$(call say,building wicker (release))
	@cargo build --release --bin wicker

test: tools test-tools ## Runs every test
	$(call say,running every test)
	@. .ci/environment; cargo test --workspace --no-fail-fast

lint: ## Formatting, clippy and rustdoc, with warnings denied
	$(call say,checking the formatting)
	@cargo fmt --check
	@cd examples && cargo fmt --check
	$(call say,running clippy)
	@cargo clippy --workspace --all-targets -- -D warnings
	$(call say,building the documentation)
	@RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

gates: tools test-tools ## Counts the instructions of the paths that every request takes, and compares them with the baseline
	$(call say,counting instructions)
	@cargo test --workspace --bench instructions $(GATES_OPTIMISED) -- $(ARGS)

bench: tools build guests ## Measures Wicker beside its peers and writes docs/benchmarks.md
	@integration-tests/bench.sh

clean: ## Removes everything that was built
	@cargo clean
