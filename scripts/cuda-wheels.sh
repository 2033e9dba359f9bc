#!/usr/bin/env bash
# Puts CUDA's compiler, cuDNN and a driver that does nothing where the tests look for them: they compile the kernels and plan the convolutions then, without a card or a driver.
# About 1.3 GB; nothing is done if they are there. Where they cannot be had, the tests say that they skip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder="${CARGO_TARGET_DIR:-target}/cuda-wheels"
# Those that PyTorch 2.11 brings along.
wheels=("nvidia-cuda-nvrtc==13.0.88" "nvidia-cudnn-cu13==9.19.0.56")

if [ -e "$folder/ready" ]; then
    exit 0
fi
if ! python3 -m pip --version >/dev/null 2>&1; then
    echo "no pip: the tests of CUDA's part without a card will be skipped" >&2
    exit 0
fi
rm -rf "$folder"
if python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --only-binary=:all: \
    --target "$folder" "${wheels[@]}"; then
    # cuDNN plans what it fuses only where it finds a driver. This one has all of its functions, and each answers that there is none.
    driver="$folder/nvidia/driver/lib"
    mkdir -p "$driver"
    {
        echo 'int cuInit(unsigned flags) { (void)flags; return 34; }'
        grep --text --only-matching --no-filename --extended-regexp '\bcu[A-Z][A-Za-z0-9]+(_v[0-9]+)?\b' \
            "$folder"/nvidia/cudnn/lib/libcudnn_engines_runtime_compiled.so.9 | sort --unique | grep --invert-match --line-regexp cuInit |
            sed 's/.*/int &(void) { return 3; }/'
    } >"$driver/driver.c"
    "${CC:-cc}" -shared -fPIC -w -fno-builtin -Wl,-soname,libcuda.so.1 -o "$driver/libcuda.so.1" "$driver/driver.c"
    touch "$folder/ready"
else
    echo "the wheels cannot be installed: the tests of CUDA's part without a card will be skipped" >&2
fi
