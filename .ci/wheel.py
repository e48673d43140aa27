"""Build the wheel, install it alone with the locked dependencies, and start all of it.

An editable install hides files that the wheel lacks.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv" / "bin" / "uv"


def run(*command: str | Path, cwd: Path) -> str:
    print("$", *command, flush=True)
    done = subprocess.run(command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout


def install(folder: Path) -> Path:
    run(UV, "build", "--quiet", "--wheel", "--out-dir", folder / "dist", cwd=ROOT)
    [wheel] = (folder / "dist").glob("leadlog-*.whl")
    locked = run(UV, "export", "--quiet", "--locked", "--no-dev", "--no-emit-project", cwd=ROOT)
    (folder / "locked.txt").write_text(locked)
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    run(UV, "pip", "install", "-q", "--python", python, "-r", "locked.txt", cwd=folder)
    run(UV, "pip", "install", "-q", "--no-deps", "--python", python, wheel, cwd=folder)
    return folder / "venv" / "bin" / "leadlog"


def start_and_stop(leadlog: Path, folder: Path) -> None:
    data = folder / "data"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LEADLOG_")}
    up = subprocess.Popen(
        [leadlog, "up", "--free-ports", "--data", data], cwd=folder, env=environment
    )
    try:
        state = wait_for(data / "up.json", up)
        for url in (state["urls"]["form"], state["urls"]["inbox"] + "/docs"):
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert answer.status == 200, url
                print("answers:", url)
    finally:
        up.send_signal(signal.SIGINT)
        code = up.wait(timeout=60)
    assert code == 0, f"leadlog up ended with {code}"


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> dict[str, dict[str, str]]:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            return dict(json.loads(path.read_text()))
        time.sleep(0.1)
    raise SystemExit("the installed wheel did not start")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        leadlog = install(folder)
        print(run(leadlog, "version", cwd=folder).strip())
        start_and_stop(leadlog, folder)
    print("the wheel installs alone and starts")


main()
