#!/usr/bin/env bash
# Puts Azurite, the emulator of Azure's blob storage, into target/azurite, for tests/azure.rs. Without npm, or a registry to reach, nothing is done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder="${CARGO_TARGET_DIR:-target}/azurite"
[[ -x "$folder/node_modules/.bin/azurite-blob" ]] && exit 0
command -v npm >/dev/null || { echo "azurite: there is no npm; the tests of Azure's storage will be skipped" >&2; exit 0; }
mkdir -p "$folder"
timeout 180 npm install --fetch-retries=1 --prefix "$folder" --no-audit --no-fund --loglevel=error azurite@3.35.0 >&2 ||
    echo "azurite: it cannot be installed; the tests of Azure's storage will be skipped" >&2
