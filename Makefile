# Run `make` for a list. CARGO_FLAGS go to every cargo command that builds, DEMO_FLAGS to `swath demo` (`make demo DEMO_FLAGS="--size 1024"`).
CARGO ?= cargo
CARGO_FLAGS ?=
DEMO_FLAGS ?=
DEMO_OUTPUT := demo-output
TARGET := $(or $(CARGO_TARGET_DIR),target)

.DEFAULT_GOAL := help
.PHONY: help setup build demo test lint doc check clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Install what is missing of GDAL and pkg-config (Debian; nothing is done if both are there)
	@scripts/setup.sh

build: setup ## Build target/release/swath
	$(CARGO) build --release $(CARGO_FLAGS)

demo: build ## Generate a scene, label it, and show where the label map and the preview are
	rm -rf $(DEMO_OUTPUT)
	$(TARGET)/release/swath demo --output $(DEMO_OUTPUT) $(DEMO_FLAGS)
	@if command -v gdalinfo >/dev/null; then gdalinfo $(DEMO_OUTPUT)/labels.tif; fi

test: setup ## Run all tests; those that need real data look for SWATH_DATA, else ../shared/data
	$(CARGO) test --workspace $(CARGO_FLAGS)

lint: setup ## Check format and clippy's lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets $(CARGO_FLAGS) -- -D warnings

doc: setup ## Build the documentation; a warning is an error
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --workspace --no-deps $(CARGO_FLAGS)

check: ## Run what CI runs
	@.ci/run

clean: ## Remove what was built
	$(CARGO) clean
	rm -rf $(DEMO_OUTPUT)
