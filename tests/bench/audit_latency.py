"""What an audit entry costs the request that waits for it: `python -m tests.bench.audit_latency`.

A server with the shipped configuration (each write synced), in a folder that is thrown away.
"""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from libs.audit import AuditEntry, AuditLog
from tests.support.nats import provisioned, start_nats_server

COUNT = 1000


async def measure(logs: list[AuditLog], at_once: int) -> str:
    """Write from several writers, each with some requests at once; a line of figures."""
    times: list[float] = []

    async def one_after_the_other(log: AuditLog, name: int) -> None:
        for number in range(COUNT // (len(logs) * at_once)):
            entry = AuditEntry(action="lead.read", actor=f"account:{name}", target=f"lead:{number}")
            started = perf_counter()
            await log.record(entry)
            times.append((perf_counter() - started) * 1000)

    started = perf_counter()
    await asyncio.gather(
        *(one_after_the_other(log, name) for log in logs for name in range(at_once))
    )
    rate = len(times) / (perf_counter() - started)
    cuts = statistics.quantiles(times, n=100)
    return (
        f"{len(logs)} replicas, {at_once} requests at once in each: "
        f"p50 {cuts[49]:.2f} ms, p95 {cuts[94]:.2f} ms, p99 {cuts[98]:.2f} ms, {rate:.0f} entries/s"
    )


async def main() -> None:
    """Measure with one replica and with three."""
    with tempfile.TemporaryDirectory() as folder:
        server = await start_nats_server(Path(folder))
        try:
            async with provisioned(server) as js:
                for replicas, at_once in ((1, 1), (1, 16), (1, 64), (3, 1), (3, 16)):
                    logs = [AuditLog(js) for _ in range(replicas)]
                    sys.stdout.write(await measure(logs, at_once) + "\n")
        finally:
            await server.kill()


if __name__ == "__main__":
    asyncio.run(main())
