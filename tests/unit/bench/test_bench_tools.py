"""The tools that measure: what they send, how they count, what they draw."""

import asyncio
import smtplib
from email.message import EmailMessage
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from services.intake.form import Form
from services.intake.form_reader import FormReader, boundary_of
from services.intake.limits import FormLimits
from tests.bench import pages, plots, sink
from tests.bench.figures import QUANTILES, Goal, Report, percentile
from tests.bench.load import Connection, Request, Spec, address, header, resume_of
from tests.support.ports import free_port


def test_percentiles_are_measured_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([7.0], 0.99) == 7
    assert [percentile(values, each) for each in QUANTILES] == sorted(
        percentile(values, each) for each in QUANTILES
    )


def test_a_goal_is_met_at_its_edge() -> None:
    assert Goal("least", 1.0).met_by(1.0)
    assert not Goal("least", 1.0).met_by(0.99)
    assert Goal("most", 25).met_by(25)
    assert not Goal("most", 25).met_by(25.1)


@pytest.mark.parametrize("size", [100, 20_000])
@pytest.mark.parametrize("number", [0, 123_456_789])
def test_a_request_is_a_form_that_intake_reads(size: int, number: int) -> None:
    head, _, body = b"".join(
        Request(Spec(port=80, resume_bytes=size, connections=1, key=True)).parts(number)
    ).partition(b"\r\n\r\n")
    assert header(head + b"\r\n\r\n", b"content-length") == b"%d" % len(body)
    assert header(head + b"\r\n\r\n", b"idempotency-key") == b"bench-%09d" % number
    form = Form()
    content_type = header(head + b"\r\n\r\n", b"content-type").decode()
    reader = FormReader(form, boundary_of(content_type), FormLimits())
    reader.feed(body)
    reader.finish()
    assert form.text()["email"] == address(number)
    assert form.upload is not None
    form.upload.file.seek(0)
    assert form.upload.file.read() == resume_of(size)
    form.close()


async def test_an_answer_in_pieces_is_one_answer() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in (b"HTTP/1.1 202 Acc", b"epted\r\nContent-Length: 4\r\n\r", b"\n{", b"12}"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        connection = await Connection.open(server.sockets[0].getsockname()[1])
        whole = await connection.exchange([b"GET / HTTP/1.1\r\n\r\n"])
    assert whole.endswith(b"\r\n\r\n{12}")
    assert header(whole, b"content-length") == b"4"


async def test_the_sink_takes_mail_and_says_whose() -> None:
    sink.arrivals.clear()
    port = free_port()
    server = asyncio.create_task(sink.serve(port))
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", address(42), "hello"
    message.set_content("text\n.\nmore")

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.send_message(message)
            client.send_message(message)
            assert client.docmd("XCOUNT") == (250, b"2")

    while not server.done():
        try:
            await asyncio.to_thread(send)
            break
        except ConnectionRefusedError:
            continue
    server.cancel()
    assert [number for number, _ in sink.arrivals] == [42, 42]
    assert all(earlier <= later for (_, earlier), (_, later) in pairwise(sink.arrivals))


def test_plots_are_well_formed_and_described() -> None:
    report = Report("submit", "Submissions & <more>")
    report.add("20 KB: one", 100.0, "/s")
    report.add("20 KB: other", 50.0, "/s")
    report.add_latency("one", [number / 1000 for number in range(1, 200)])
    for text in (
        plots.bars(report.title, "a second", {"one": 1.0, "<two>": 2.0}),
        plots.curves(report.title, report.series),
    ):
        root = ET.fromstring(text)  # noqa: S314 - ours
        described = root.find("{http://www.w3.org/2000/svg}desc")
        assert described is not None
        assert "one" in (described.text or "")


def test_a_page_says_what_was_measured_where_and_whether_it_is_enough() -> None:
    report = Report("mails", "Mails")
    report.add("mails", 1234.0, "/s", Goal("least", 800))
    report.add("time", 30.0, "ms", Goal("most", 25))
    text = pages.page(report, {"commit": "abc", "quick": False, "load_average_before": (1.26, 2.0)})
    assert "commit: abc; quick: no; load average before: 1.3, 2.0." in text
    assert "| mails | 1,234 /s | ≥ 800 | yes |" in text
    assert "| time | 30.00 ms | ≤ 25 | no |" in text
