#!/bin/sh
# Installs Chromium and fonts with Cyrillic from Debian packages, unless a browser is installed.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done

as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root='sudo -n'
fi
if ! command -v apt-get >/dev/null || ! $as_root true 2>/dev/null; then
    echo "Browser tests need Chromium: install it (Debian: apt-get install chromium fonts-dejavu-core), then run make again" >&2
    exit 1
fi
echo "Installing Chromium"
log=$(mktemp)
if ! { $as_root apt-get update \
    && $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends chromium fonts-dejavu-core; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo "Chromium could not be installed: run 'apt-get install chromium fonts-dejavu-core' by hand, then make again" >&2
    exit 1
fi
rm -f "$log"
