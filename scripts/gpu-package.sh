#!/usr/bin/env bash
# Puts all that `make gpu-check` needs into one folder, to be taken to a machine with a card: target/gpu-check/package, less than 64 MiB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target="${CARGO_TARGET_DIR:-target}"
package="$target/gpu-check/package"
# shellcheck disable=SC2086 # a list of flags
"${CARGO:-cargo}" build --release ${CARGO_FLAGS:-} --package swath --package swath-models --bin swath --example gpu_check
rm -rf "$package"
mkdir -p "$package"
for program in "$target/release/swath" "$target/release/examples/gpu_check"; do
    strip -o "$package/$(basename "$program")" "$program"
done
cp benches/gpu/check.sh benches/gpu/pytorch.py benches/gpu/table.py "$package"
git describe --always --dirty >"$package/commit" 2>/dev/null || echo unknown >"$package/commit"

# GDAL and all that it needs, down to the C library: a machine with a card need not have it.
libraries=$(mktemp -d)
trap 'rm -rf "$libraries"' EXIT
ldd "$package/swath" | grep -oE '/[^ ]+' | sort --unique | xargs cp --dereference --target-directory "$libraries"
for data in gdal proj; do
    if [ -d "/usr/share/$data" ]; then
        cp --recursive "/usr/share/$data" "$libraries/$data"
    fi
done
# Of grids and old formats, nothing is read.
rm -rf "$libraries"/proj/*.tif "$libraries"/gdal/*.gml "$libraries"/gdal/*.gfs
tar -C "$libraries" -c . | xz -6 --threads=0 >"$package/lib.tar.xz"
du -sh "$package"
size=$(du -sk "$package" | cut -f1)
if [ "$size" -ge $((64 * 1024)) ]; then
    echo "expected less than 64 MiB in $package, got $((size / 1024)) MiB" >&2
    exit 1
fi
