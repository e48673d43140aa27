#!/bin/sh
# Finds a Chromium for the browser tests, or installs Debian's, or says what to do.
for name in "${CHROMIUM_BIN:-}" chromium chromium-browser google-chrome google-chrome-stable; do
  [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Debian's chromium for the browser tests ..."
  apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends chromium fonts-liberation >/dev/null && exit 0
fi
cat >&2 <<'TEXT'
The browser tests need Chromium and none was found.
  Debian, Ubuntu:  sudo apt-get install chromium
  Fedora:          sudo dnf install chromium
  macOS:           brew install --cask chromium
If it is installed elsewhere, name it: make test CHROMIUM_BIN=/path/to/chromium
TEXT
exit 1
