#!/bin/sh
# Fails when a file holds what looks like a secret and .secrets.baseline does not know it.
# Made up for a test? Say so beside it: `# pragma: allowlist secret`. Arguments: files to look at.
cd "$(dirname "$0")/.." || exit 2
if [ "$#" -eq 0 ]; then
  git ls-files -z -- . ':!uv.lock' ':!requirements-uv.txt' ':!*.svg' ':!.secrets.baseline' |
    xargs -0 .venv/bin/detect-secrets-hook --baseline .secrets.baseline
else
  .venv/bin/detect-secrets-hook --baseline .secrets.baseline "$@"
fi
