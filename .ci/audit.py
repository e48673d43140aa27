"""Ask PyPI whether a known vulnerability is in what the lock file names (pip-audit).

A vulnerability fails the build. An index that cannot be asked, or knows none of our versions (a
mirror without PyPI's JSON API), is said loudly and fails only with LEADLOG_AUDIT=required, which
is what CI with an open network should set: a check that did not happen is not a fault in the code.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOOLS = Path(sys.executable).parent
SECONDS = 120


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "requirements.txt"
        export = [TOOLS / "uv", "export", "--frozen", "--quiet", "--no-emit-project"]
        subprocess.run([*export, "--extra", "dev", "-o", pins], check=True, stdout=-3)
        audit = [TOOLS / "pip-audit", "-r", pins, "--disable-pip", "-f", "json"]
        try:
            done = subprocess.run(
                [*audit, "--progress-spinner", "off", "--timeout", "15"],
                check=False,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return verdict(None, "it did not answer in time")
    return verdict(done.stdout, done.stderr)


def verdict(report: str | None, said: str) -> int:
    """Say what was found; the exit code."""
    try:
        packages = json.loads(report or "")["dependencies"]
    except (ValueError, KeyError):
        return unchecked(said.strip().splitlines()[-1] if said.strip() else "no answer")
    bad = [package for package in packages if package.get("vulns")]
    for package in bad:
        ids = ", ".join(found["id"] for found in package["vulns"])
        print(f"audit: {package['name']} {package['version']}: {ids}")
    if bad:
        return 1
    skipped = sum("skip_reason" in package for package in packages)
    if skipped:
        return unchecked(f"the index does not know {skipped} of {len(packages)} packages")
    print(f"audit: no known vulnerability in {len(packages)} packages")
    return 0


def unchecked(reason: str) -> int:
    print(f"audit: NOT CHECKED for known vulnerabilities: {reason}", file=sys.stderr)
    return int(os.environ.get("LEADLOG_AUDIT") == "required")


if __name__ == "__main__":
    sys.exit(main())
