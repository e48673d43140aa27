#!/bin/sh
# Finds ClamAV's clamd for the tests of virus scans, or installs Debian's, or says what to do.
# The tests start one of their own, with a signature of their own: the package's service and its
# downloads (freshclam) are not needed and are kept from starting.
PATH="$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
for name in "${CLAMD_BIN:-}" clamd; do
  [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Debian's clamav-daemon for the tests of virus scans ..."
  # Debian asks this file whether a service that is installed may start; 101 means no.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT INT TERM
  fi
  apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends clamav-daemon >/dev/null && exit 0
fi
cat >&2 <<'TEXT'
The tests of virus scans need ClamAV's clamd and none was found.
  Debian, Ubuntu:  sudo apt-get install clamav-daemon
  Fedora:          sudo dnf install clamd
  macOS:           brew install clamav
It need not run: the tests start their own. If it is installed elsewhere, name it:
make test CLAMD_BIN=/path/to/clamd
TEXT
exit 1
