#!/bin/sh
# The identity provider that sign-in is tested against comes from npm, so it needs Node.js.
set -eu
cd "$(dirname "$0")/../oidc"

if ! command -v npm >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Node.js for the tests of sign-in …"
  apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends nodejs npm >/dev/null
fi
if ! command -v npm >/dev/null 2>&1; then
  cat >&2 <<'EOF'
The tests of sign-in run a real identity provider, and that needs Node.js 18 or newer with npm:
  Debian, Ubuntu:  sudo apt-get install nodejs npm
  macOS:           brew install node
EOF
  exit 1
fi
if [ ! -e node_modules/.ready ] || [ package-lock.json -nt node_modules/.ready ]; then
  npm ci --ignore-scripts --no-audit --no-fund --silent
  touch node_modules/.ready
fi
