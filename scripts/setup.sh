#!/usr/bin/env bash
# Installs what Swath needs to be built and is missing: GDAL with its headers, gdalinfo, and pkg-config. Where all is there, nothing is done.
# With the argument `python`, what the benches beside other engines need too: Python with virtual environments.
set -euo pipefail

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

command -v cargo >/dev/null || fail "cargo is missing; Rust is installed as https://rustup.rs says"
command -v cc >/dev/null || fail "a C compiler is missing; Rust links with it (Debian: apt-get install gcc libc6-dev)"

packages=()
command -v pkg-config >/dev/null || packages+=(pkg-config)
# Without pkg-config it is not known whether GDAL's headers are there; apt-get leaves alone what is installed.
pkg-config --exists gdal 2>/dev/null || packages+=(libgdal-dev)
command -v gdalinfo >/dev/null || packages+=(gdal-bin)
if [[ "${1-}" == python ]]; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
fi
((${#packages[@]})) || exit 0

command -v apt-get >/dev/null || fail \
    "missing: ${packages[*]} (Debian's names), and there is no apt-get to install them" \
    "Fedora: dnf install gdal-devel gdal pkgconf-pkg-config; macOS: brew install gdal pkgconf; then run this again"

as_root=()
if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "missing: ${packages[*]}; run as root: apt-get install ${packages[*]}"
    as_root=(sudo)
fi

printf 'setup: installing %s\n' "${packages[*]}" >&2
"${as_root[@]}" apt-get update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${packages[@]}"
pkg-config --exists gdal || fail "${packages[*]} are installed, but pkg-config does not find gdal"
