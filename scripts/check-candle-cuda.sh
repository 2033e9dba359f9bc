#!/usr/bin/env bash
# Checks that the features `candle-cuda` and `cuda` build beside each other, on a machine without CUDA's toolkit: a stand-in for its compiler says that
# it is one and writes empty files, which is enough to check Rust's part. Nothing that is made so runs on a card.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stand_in=$(mktemp -d)
trap 'rm -rf "$stand_in"' EXIT
cat >"$stand_in/nvcc" <<'NVCC'
#!/usr/bin/env bash
# Answers the questions of build scripts, and makes every file that it is asked for.
set -euo pipefail
folder=.
output=
sources=()
while [ $# -gt 0 ]; do
    case "$1" in
    --version)
        printf 'nvcc: NVIDIA (R) Cuda compiler driver\nstand-in\nstand-in\nCuda compilation tools, release 13.0, V13.0.88\n'
        exit 0
        ;;
    --list-gpu-code) echo sm_90 && exit 0 ;;
    --list-gpu-arch) echo compute_90 && exit 0 ;;
    -o | --output-file) output=$2 && shift ;;
    -odir | --output-directory) folder=$2 && shift ;;
    --output-directory=*) folder=${1#*=} ;;
    *.cu) sources+=("$1") ;;
    esac
    shift
done
if [ -n "$output" ]; then
    : >"$output"
else
    for source in "${sources[@]}"; do
        : >"$folder/$(basename "$source" .cu).ptx"
    done
fi
NVCC
chmod +x "$stand_in/nvcc"
export PATH="$stand_in:$PATH" NVCC="$stand_in/nvcc" CUDA_COMPUTE_CAP=90
# shellcheck disable=SC2086 # a list of flags
"${CARGO:-cargo}" clippy ${CARGO_FLAGS:-} --package swath-models --lib --features candle-cuda,cuda -- -D warnings
