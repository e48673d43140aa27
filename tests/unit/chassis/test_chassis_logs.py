import asyncio
import json
import logging
from typing import Any

import pytest
import structlog
from pydantic import BaseModel, EmailStr

from libs.chassis.logs import configure_logging
from libs.chassis.tracebacks import describe

MARKED = "Zebedee.Marked@example.com"

pytestmark = pytest.mark.usefixtures("restore_logging")


class Person(BaseModel):
    age: int
    email: EmailStr


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_is_json_with_time_level_service_and_bound_context(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("intake", "info", "json")
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger().info("lead stored", size=3)

    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "lead stored",
        "size": 3,
        "request_id": "r1",
        "level": "info",
        "service": "intake",
    }


def test_the_standard_librarys_records_take_the_same_form(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("intake", "info", "json")
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        logging.getLogger("nats.aio").warning("lost %s", "it")

    (line,) = lines(capsys)
    assert line["event"] == "lost it"
    assert (line["level"], line["logger"], line["service"]) == ("warning", "nats.aio", "intake")
    assert line["request_id"] == "r1"


def test_a_level_below_the_threshold_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("intake", "warning", "json")
    structlog.get_logger().info("quiet")
    logging.getLogger("x").info("quiet")

    assert lines(capsys) == []


def test_a_validation_error_is_logged_without_its_input(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("intake", "info", "json")
    try:
        Person.model_validate({"age": MARKED, "email": MARKED + "@"})
    except ValueError:
        structlog.get_logger().exception("refused")

    out = capsys.readouterr().out
    assert "Zebedee" not in out
    exception = json.loads(out)["exception"]
    assert exception["type"] == "pydantic_core._pydantic_core.ValidationError"
    assert any("test_chassis_logs.py" in frame for frame in exception["frames"])


async def test_asyncios_report_of_a_lost_exception_is_written_without_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("intake", "info", "json")

    async def fail() -> None:
        raise ValueError(MARKED)

    task = asyncio.create_task(fail())
    await asyncio.wait({task})
    del task  # asyncio reports it when the task is collected

    out = capsys.readouterr().out
    assert json.loads(out)["event"] == "Task exception was never retrieved"
    assert "Zebedee" not in out


def test_causes_are_described_and_an_operating_systems_text_is_kept() -> None:
    error = ConnectionRefusedError(111, "Connection refused", MARKED)
    error.__cause__ = ValueError(MARKED)

    description = describe(error)

    assert description["type"] == "ConnectionRefusedError"
    assert description["message"] == "Connection refused"
    assert description["causes"] == [{"type": "ValueError", "frames": []}]
    assert "Zebedee" not in str(description)


def test_console_shows_an_exception_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("intake", "info", "console")
    try:
        Person.model_validate({"age": MARKED})
    except ValueError:
        structlog.get_logger().exception("refused")

    out = capsys.readouterr().out
    assert "ValidationError" in out
    assert "test_chassis_logs.py" in out
    assert "Zebedee" not in out


def test_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("intake", "info", "console")
    structlog.get_logger().info("lead stored")

    out = capsys.readouterr().out
    assert "lead stored" in out
    assert not out.startswith("{")


def test_auto_is_json_when_stdout_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("intake")
    structlog.get_logger().info("lead stored")

    assert lines(capsys)[0]["event"] == "lead stored"
