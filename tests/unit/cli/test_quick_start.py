"""A command starts without what only the services need."""

import subprocess
import sys


def test_a_command_does_not_load_the_read_models_library() -> None:
    # It is half of the time in which a command starts.
    program = "import sys, services.cli.main; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
