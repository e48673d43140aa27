import asyncio

import pytest

from libs.chassis import health
from libs.chassis.errors import StoreUnavailable
from libs.chassis.health import Health, NotReady


async def fine() -> str:
    return "all is well"


async def test_with_every_check_passed_it_is_ready() -> None:
    checks = Health()
    checks.add("nats", fine)

    assert await checks.report() == (
        True,
        {"status": "ready", "checks": {"nats": {"ok": True, "detail": "all is well"}}},
    )


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (NotReady("stream LEADS is missing"), "stream LEADS is missing"),
        (StoreUnavailable("no answer from LEADS"), "no answer from LEADS"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (ValueError("Zebedee"), "ValueError"),
    ],
)
async def test_a_failed_check_is_named_with_a_reason_that_may_be_shown(
    error: Exception, detail: str
) -> None:
    async def fail() -> None:
        raise error

    checks = Health()
    checks.add("good", fine)
    checks.add("bad", fail)
    ready, document = await checks.report()

    assert not ready
    assert document["status"] == "not ready"
    assert document["checks"]["good"]["ok"] is True
    assert document["checks"]["bad"] == {"ok": False, "detail": detail}


async def test_checks_run_at_the_same_time() -> None:
    first, second = asyncio.Event(), asyncio.Event()

    async def one() -> None:
        first.set()
        await second.wait()

    async def other() -> None:
        await first.wait()
        second.set()

    checks = Health()
    checks.add("one", one)
    checks.add("other", other)

    assert (await checks.report())[0]


async def test_a_check_that_hangs_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)

    async def hang() -> None:
        await asyncio.Event().wait()

    checks = Health()
    checks.add("hung", hang)
    ready, document = await checks.report()

    assert not ready
    assert document["checks"]["hung"]["detail"] == "no answer within 0.05 s"


async def test_while_draining_it_is_not_ready() -> None:
    checks = Health()
    checks.add("nats", fine)
    checks.draining = True

    ready, document = await checks.report()
    assert (ready, document["status"]) == (False, "draining")
