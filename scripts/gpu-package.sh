#!/usr/bin/env bash
# Puts all that `make gpu-check` needs into one folder, to be taken to a machine with a card: target/gpu-check/package, less than 64 MiB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh python
target="${CARGO_TARGET_DIR:-target}"
package="$target/gpu-check/package"
# shellcheck disable=SC2086 # a list of flags
"${CARGO:-cargo}" build --release ${CARGO_FLAGS:-} --package swath --package swath-models --bin swath --example gpu_check
rm -rf "$package"
mkdir -p "$package"
cp benches/gpu/check.sh benches/gpu/pytorch.py benches/gpu/table.py "$package"
git describe --always --dirty >"$package/commit" 2>/dev/null || echo unknown >"$package/commit"

# The programs, GDAL and all that they need, down to the C library: a machine with a card need not have it.
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
mkdir "$programs/lib"
for program in "$target/release/swath" "$target/release/examples/gpu_check"; do
    strip -o "$programs/$(basename "$program")" "$program"
done
ldd "$programs/swath" "$programs/gpu_check" | grep -oE '/[^ ]+\.so[^ ]*' | sort --unique | xargs cp --dereference --target-directory "$programs/lib"
# Of grids and old formats, nothing is read.
mkdir "$programs/proj"
cp /usr/share/proj/proj.db /usr/share/proj/proj.ini "$programs/proj"
cp --recursive /usr/share/gdal "$programs/gdal"
rm -rf "$programs"/gdal/*.gml "$programs"/gdal/*.gfs
python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1], "w:xz").add(sys.argv[2], "")' "$package/programs.tar.xz" "$programs"
du -sh "$package"
size=$(du -sk "$package" | cut -f1)
if [ "$size" -ge $((64 * 1024)) ]; then
    echo "expected less than 64 MiB in $package, got $((size / 1024)) MiB" >&2
    exit 1
fi
