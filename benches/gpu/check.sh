#!/usr/bin/env bash
# Holds a card against the processor and times it beside PyTorch: what `make gpu-check` runs. It needs Python, and neither cargo nor a network: the
# programs lie beside it, and CUDA's libraries come from where PyTorch has them. What is missing is said, and the rest is run.
#
#     check.sh [OUTPUT]
#
# OUTPUT (`results` here) gets the logs and results.md, a section for benches/RESULTS.md. Exits with 1 if the card differs from the processor.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
output=${1:-$here/results}
mkdir -p "$output"
output=$(cd "$output" && pwd)
results="$output/results.md"
PYTHON=${PYTHON:-python3}

say() { printf '%s\n' "$*" | tee -a "$output/log"; }

# Where PyTorch's wheels have CUDA's libraries, wherever Python is.
if [ -z "${SWATH_CUDA_PATH:-}" ] && command -v "$PYTHON" >/dev/null; then
    SWATH_CUDA_PATH=$("$PYTHON" -c 'import glob, nvidia; print(":".join(sorted(p for root in nvidia.__path__ for p in glob.glob(root + "/*/lib"))))' \
        2>/dev/null || true)
    export SWATH_CUDA_PATH
fi
card=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -1 || true)
commit=$(cat "$here/commit" 2>/dev/null || echo unknown)
say "card: ${card:-none that nvidia-smi finds}; commit $commit; libraries: ${SWATH_CUDA_PATH:-where the system looks}"

# GDAL and all else that the programs need is carried, with the C library that they were made for, and used where a program does not start without.
programs="$output/programs"
rm -rf "$programs"
"$PYTHON" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$here/programs.tar.xz" "$programs"
run() {
    local program="$programs/$1"
    shift
    if ldd "$program" 2>&1 | grep -q 'not found'; then
        GDAL_DATA="$programs/gdal" PROJ_DATA="$programs/proj" "$programs/lib/ld-linux-x86-64.so.2" \
            --library-path "$programs/lib:${LD_LIBRARY_PATH:-}" "$program" "$@"
    else
        "$program" "$@"
    fi
}

# 1. The card's scores beside the processor's. Without a card, this is where it ends, and says what is missing.
if ! run gpu_check parity 2>&1 | tee "$output/parity.log"; then
    say "FAILED: the card is not the processor's equal, or is missing; see above"
    exit 1
fi

# 2. The kernels alone, and with pixels up and labels down.
run gpu_check time "$output" | tee "$output/swath.jsonl"
if "$PYTHON" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    "$PYTHON" "$here/pytorch.py" "$output/weights.safetensors" | tee "$output/pytorch.jsonl"
else
    say "SKIPPED: no PyTorch that sees the card"
fi
rm -f "$output/weights.safetensors"

# 3. From a file on disk to a COG.
if run swath --version >/dev/null 2>&1; then
    scene="$output/scene"
    run swath demo --only-scene --overwrite --size "${SCENE_SIZE:-6000}" --seed 1 --output "$scene"
    rm -rf "$output/model"
    run gpu_check model "$output/model"
    tif=$(find "$scene" -name '*.tif' | grep -v truth | head -1)
    segment() { run swath segment "$tif" --model "$output/model" --bands 1,2,3 --overwrite --progress none "$@"; }
    # Once before: plans are chosen, and the file is in the system's cache.
    segment --device cuda --tile 512 --output "$output/first.tif" >/dev/null
    nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits -lms 100 >"$output/busy.log" 2>/dev/null &
    sampler=$!
    segment --device cuda --tile 512 --output "$output/cuda.tif" --timings --json | tee "$output/end_to_end.json"
    kill "$sampler" 2>/dev/null || true
    segment --device cuda --tile 512 --window 0,0,2048,2048 --output "$output/cuda_part.tif" >/dev/null
    segment --device cpu --precision f32 --tile 512 --window 0,0,2048,2048 --output "$output/cpu_part.tif" >/dev/null
    run swath evaluate "$output/cuda_part.tif" "$output/cpu_part.tif" --json "$output/agreement.json" >/dev/null
else
    say "SKIPPED: from file to COG, as swath does not start here: $(run swath --version 2>&1 | head -1)"
fi

# 4. The section for benches/RESULTS.md.
CARD="$card" COMMIT="$commit" "$PYTHON" "$here/table.py" "$output" >"$results"
cat "$results"
