"""Whose request it is: read from the right, and only as far as our own proxies go."""

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from libs.chassis.client_address import client_address, client_scheme
from libs.chassis.forwarded import client_of, network_of, parse_address, scheme_of
from libs.chassis.web import new_app
from tests.unit.chassis.sample import SampleSettings

OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
OUTSIDE = st.ip_addresses().filter(
    lambda a: not any(parse_address(str(a)) in network for network in OURS)
)
PROXIES = st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fd00::/8")
# What a header can hold at all: visible characters and blanks.
HEADERS = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=255)), max_size=4)


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("192.0.2.9", [], "192.0.2.9"),
        ("192.0.2.9", ["198.51.100.1"], "192.0.2.9"),  # a stranger's word
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["2001:DB8:0::1"], "2001:db8::1"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, "], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("fd00::1%eth0", ["198.51.100.1"], "198.51.100.1"),
        (None, ["198.51.100.1"], "unknown"),
        ("", ["198.51.100.1"], "unknown"),
    ],
)
def test_the_client_is_the_nearest_hop_that_is_not_ours(
    peer: str | None, headers: list[str], client: str
) -> None:
    assert client_of(peer, headers, OURS) == client


@given(OUTSIDE, HEADERS)
def test_without_a_trusted_peer_no_header_changes_anything(
    peer: object, headers: list[str]
) -> None:
    assert client_of(str(peer), headers, OURS) == client_of(str(peer), [], ())


@given(HEADERS, OUTSIDE, st.lists(PROXIES, min_size=1, max_size=4))
def test_nothing_a_client_writes_hides_where_it_is(
    forged: list[str], client: object, proxies: list[object]
) -> None:
    *inner, peer = [str(client), *map(str, proxies)]
    sent = [*forged, ", ".join(inner)]
    assert client_of(peer, sent, OURS) == str(parse_address(str(client)))


@given(st.none() | st.text(), HEADERS)
def test_whatever_is_sent_there_is_an_answer(peer: str | None, headers: list[str]) -> None:
    assert client_of(peer, headers, OURS)
    assert scheme_of(peer, "http", headers, OURS) in {"http", "https"}


@pytest.mark.parametrize(
    ("peer", "headers", "scheme"),
    [
        ("192.0.2.9", ["https"], "http"),
        ("10.0.0.1", ["https"], "https"),
        ("10.0.0.1", ["HTTPS"], "https"),
        ("10.0.0.1", ["https, http"], "http"),
        ("10.0.0.1", ["javascript"], "http"),
        ("10.0.0.1", [], "http"),
        (None, ["https"], "http"),
    ],
)
def test_only_a_trusted_proxy_says_the_scheme(
    peer: str | None, headers: list[str], scheme: str
) -> None:
    assert scheme_of(peer, "http", headers, OURS) == scheme


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_a_limit_counts_ipv6_by_subscriber(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_request_is_read_with_the_settings_proxies() -> None:
    settings = SampleSettings(trusted_proxies=["127.0.0.0/8"])
    app = new_app(settings, service="sample", errors={})
    headers = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https"}
    request = make_mocked_request("GET", "/", headers=headers, app=app).clone(remote="127.0.0.1")
    assert (client_address(request), client_scheme(request)) == ("198.51.100.1", "https")


def test_by_default_no_proxy_is_trusted() -> None:
    app = new_app(SampleSettings(), service="sample", errors={})
    headers = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https"}
    request = make_mocked_request("GET", "/", headers=headers, app=app).clone(remote="127.0.0.1")
    assert (client_address(request), client_scheme(request)) == ("127.0.0.1", "http")
