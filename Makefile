# Run `make` for a list. CARGO_FLAGS go to every cargo command that builds, DEMO_FLAGS to `swath demo` (`make demo DEMO_FLAGS="--size 1024"`).
CARGO ?= cargo
CARGO_FLAGS ?=
DEMO_FLAGS ?=
DEMO_OUTPUT := demo-output
TARGET := $(or $(CARGO_TARGET_DIR),target)
BENCH := $(TARGET)/bench-cpu
# Of the benches beside other engines: threads of every engine; how often each takes its turn (ROUNDS=1 is a quick look); precisions.
THREADS ?= $(shell nproc)
bench-cpu: ROUNDS ?= 5
bench-end-to-end: ROUNDS ?= 2
bench-training: ROUNDS ?= 5
bench-remote: ROUNDS ?= 3
bench-zoo: ROUNDS ?= 2
bench-volumes bench-meshnet: ROUNDS ?= 2
# Milliseconds of a request to the server of bench-remote.
LATENCY ?= 100
# Scenes of bench-batch.
SCENES ?= 1000
PRECISIONS ?= f32 bf16

.DEFAULT_GOAL := help
.PHONY: help setup build demo test lint doc check sanitize fuzz bench-cpu bench-zoo bench-end-to-end bench-training bench-remote bench-batch
.PHONY: bench-volumes bench-volume-stages bench-meshnet bench-resampling gpu-package gpu-check cuda-wheels bundled-model clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

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

lint: setup ## Check format and clippy's lints, with CUDA, without it, and with candle's
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets $(CARGO_FLAGS) -- -D warnings
	$(CARGO) clippy --package swath --no-default-features --all-targets $(CARGO_FLAGS) -- -D warnings
	$(CARGO) clippy --package swath-models --no-default-features --all-targets $(CARGO_FLAGS) -- -D warnings
	CARGO="$(CARGO)" CARGO_FLAGS="$(CARGO_FLAGS)" scripts/check-candle-cuda.sh

doc: setup ## Build the documentation; a warning is an error
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --workspace --no-deps $(CARGO_FLAGS)

check: ## Run what CI runs
	@.ci/run

sanitize: setup ## Run the kernels' tests under AddressSanitizer, which the compiler counts as unstable
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=$(TARGET)/sanitize $(CARGO) test $(CARGO_FLAGS) \
		--target $(shell rustc --version --verbose | sed -n 's/host: //p') --package swath-models --lib kernels

FUZZ_TARGETS ?= pickle checkpoint hdf5 safetensors onnx
# Inputs that each fuzz target is run with.
RUNS ?= 1000000
# What cargo-fuzz passes, less the sanitizer: the parsers have no unsafe code.
FUZZ_FLAGS := --cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 $(addprefix -Cllvm-args=-sanitizer-coverage-,level=4 inline-8bit-counters pc-table trace-compares)
HOST = $(shell rustc --version --verbose | sed -n 's/host: //p')

fuzz: ## Run the parsers' fuzz targets from the golden files (FUZZ_TARGETS, RUNS)
	cd fuzz && RUSTFLAGS="$(FUZZ_FLAGS)" $(CARGO) build --release --locked --target $(HOST)
	@cd fuzz && for name in $(FUZZ_TARGETS); do \
		mkdir -p corpus/$$name artifacts/$$name; \
		case $$name in checkpoint) seeds=../models/tests/golden/checkpoints ;; hdf5) seeds=../models/tests/golden/keras ;; \
			onnx) seeds=../models/tests/golden/onnx ;; *) seeds=seeds/$$name ;; esac; \
		echo "$$name: $(RUNS) runs" >&2; \
		target/$(HOST)/release/$$name -runs=$(RUNS) -max_len=65536 -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 \
			-artifact_prefix=artifacts/$$name/ corpus/$$name $$seeds || exit; \
	done

bench-cpu: build $(BENCH)/venv/ready ## Time Swath, ONNX Runtime and OpenVINO in turn on the same networks (THREADS, ROUNDS, SWATH_DATA)
	$(CARGO) build --release $(CARGO_FLAGS) --package swath-models --example resident
	@$(BENCH)/venv/bin/python benches/cpu/bench.py $(TARGET)/release/swath $(TARGET)/release/examples/resident $(BENCH) $(THREADS) $(ROUNDS)

bench-zoo: VOLUME ?= $(DATA)/medical/nifti/example_ct_sm.nii.gz
bench-zoo: build $(BENCH)/venv-zoo/ready ## Label SCENE=... (or VOLUME=...) with every network (or NETWORKS=...), and time Swath and ONNX Runtime in turn on tiles (THREADS, ROUNDS)
	@test -f "$(SCENE)" || { echo "expected SCENE=FILE with three bands or more, got '$(SCENE)'" >&2; exit 1; }
	$(CARGO) build --release $(CARGO_FLAGS) --package swath-models --example resident
	@$(BENCH)/venv-zoo/bin/python benches/cpu/zoo.py $(TARGET)/release/swath $(TARGET)/release/examples/resident $(BENCH)/zoo $(THREADS) $(ROUNDS) "$(SCENE)" "$(VOLUME)" $(NETWORKS)

bench-end-to-end: build $(BENCH)/venv/ready ## Label SCENE=... with Swath and with a Python pipeline in turn (THREADS, ROUNDS, PRECISIONS)
	@test -f "$(SCENE)" || { echo "expected SCENE=FILE with red, green and blue as its first bands, got '$(SCENE)'" >&2; exit 1; }
	@$(BENCH)/venv/bin/python benches/cpu/end_to_end.py $(TARGET)/release/swath $(BENCH) "$(SCENE)" $(THREADS) $(ROUNDS) $(PRECISIONS)

bench-training: setup $(BENCH)/venv-training/ready ## Time a step of training in Swath, candle and PyTorch in turn (THREADS, ROUNDS)
	$(CARGO) build --release $(CARGO_FLAGS) --package swath-models --example training
	@$(BENCH)/venv-training/bin/python benches/cpu/training.py $(TARGET)/release/examples/training $(BENCH) $(THREADS) $(ROUNDS)

bench-remote: build ## Label SCENE=... with MODEL=... from disk, from a slow server and through /vsicurl/ in turn (THREADS, ROUNDS, LATENCY, SEGMENT_FLAGS)
	@test -f "$(SCENE)" -a -d "$(MODEL)" || { echo "expected SCENE=FILE and MODEL=FOLDER, got '$(SCENE)' and '$(MODEL)'" >&2; exit 1; }
	@scripts/setup.sh python
	@mkdir -p $(TARGET)/bench-remote
	@python3 benches/remote/bench.py $(TARGET)/release/swath $(TARGET)/bench-remote "$(SCENE)" "$(MODEL)" $(THREADS) $(ROUNDS) $(LATENCY) $(SEGMENT_FLAGS)

bench-batch: build ## Label SCENES=1000 small scenes in one batch: what a scene costs beyond the network, and memory
	@scripts/setup.sh python
	@python3 benches/batch/bench.py $(TARGET)/release/swath $(TARGET)/bench-batch $(SCENES)

DATA = $(or $(SWATH_DATA),../shared/data)
DEPTHS ?= 300,1200
CLASSES ?= 14

bench-volumes: build $(BENCH)/venv-volumes/ready ## Label generated volumes of DEPTHS=300,1200 slices, CLASSES=14, beside MONAI: time and memory
	@$(BENCH)/venv-volumes/bin/python benches/volumes/stitch.py $(TARGET)/release/swath $(TARGET)/bench-volumes $(DEPTHS) $(CLASSES) $(ROUNDS)

bench-meshnet: build $(BENCH)/venv-volumes/ready ## Label a head with MeshNet in three tilings, beside ONNX Runtime in blocks (SWATH_DATA)
	@$(BENCH)/venv-volumes/bin/python benches/volumes/meshnet.py $(TARGET)/release/swath $(TARGET)/bench-volumes $(DATA) $(ROUNDS)

bench-volume-stages: build $(BENCH)/venv-volumes/ready ## Label a generated CT with MeshNet: the time of each stage (SWATH_DATA)
	@$(BENCH)/venv-volumes/bin/python benches/volumes/stages.py $(TARGET)/release/swath $(TARGET)/bench-volumes $(DATA)

bench-resampling: build $(BENCH)/venv-volumes/ready ## Bring a volume's scores back to its own voxels beside nnU-Net's way: CLASSES=14 of 300 slices
	@for spacing in 1.5,1.5,1.5 6,1.5,1.5; do $(BENCH)/venv-volumes/bin/python benches/volumes/resample.py $(TARGET)/release/swath $(TARGET)/bench-volumes 300 $(CLASSES) $$spacing || exit; done

cuda-wheels: ## Install what the tests compile kernels and plan convolutions with where there is no card (1.3 GB from PyPI)
	@scripts/cuda-wheels.sh

gpu-package: setup ## Make target/gpu-check/package: all that gpu-check needs on a machine with a card, less than 64 MiB
	@CARGO="$(CARGO)" CARGO_FLAGS="$(CARGO_FLAGS)" scripts/gpu-package.sh

gpu-check: ## Hold the card against the CPU and time it beside PyTorch; where there is no cargo, with the package that is there
	@if command -v $(CARGO) >/dev/null; then $(MAKE) gpu-package; fi
	@test -x $(TARGET)/gpu-check/package/check.sh || { echo "expected $(TARGET)/gpu-check/package, which make gpu-package makes where there is cargo" >&2; exit 1; }
	@$(TARGET)/gpu-check/package/check.sh $(TARGET)/gpu-check/results

$(BENCH)/venv-volumes/ready: benches/volumes/requirements.txt
$(BENCH)/venv/ready: benches/cpu/requirements.txt
$(BENCH)/venv-training/ready: benches/cpu/requirements-training.txt
$(BENCH)/venv-zoo/ready: benches/cpu/requirements-zoo.txt
$(BENCH)/%/ready:
	@scripts/setup.sh python
	python3 -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

BUNDLED_SEEDS := 101 102 103 104 105 106 107

bundled-model: build ## Learn the bundled model once more: generated scenes, examples/demo/fcn_small.toml, src/demo/bundled
	for seed in $(BUNDLED_SEEDS); do \
		$(TARGET)/release/swath demo --only-scene --overwrite --size 1536 --seed $$seed --output $(TARGET)/bundled/scenes/$$seed || exit; \
	done
	SCENES=$(abspath $(TARGET))/bundled/scenes $(TARGET)/release/swath train examples/demo/fcn_small.toml --overwrite --output $(TARGET)/bundled/demo
	cp $(addprefix $(TARGET)/bundled/demo/,model.json graph.json weights.safetensors) src/demo/bundled

clean: ## Remove what was built
	$(CARGO) clean
	rm -rf $(DEMO_OUTPUT)
