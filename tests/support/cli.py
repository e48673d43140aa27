"""The operator's commands, without a process for each."""

import asyncio
from functools import partial
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner

from services.cli.main import app


async def leadlog(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    """Run the command in a thread, which starts faster; its exit code and what it printed."""
    invoke = partial(CliRunner().invoke, app, [*map(str, arguments)], env=environment)
    with patch("services.cli.main.configure_logging"):  # this process's logging is the test's
        done = await asyncio.to_thread(invoke)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output
