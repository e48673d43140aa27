"""The rule for requests from other sites, and the limiter: pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.chassis.cross_site import is_cross_site
from libs.chassis.rate_limit import RateLimiter

FIRM = "https://www.example.com"


@pytest.mark.parametrize(
    ("origin", "fetch_site", "refused"),
    [
        (None, None, False),
        (None, "same-origin", False),
        (None, "none", False),
        (None, "cross-site", True),
        (None, "same-site", True),
        (None, "", True),
        ("https://forms.example.com", None, False),
        ("http://forms.example.com", None, False),  # TLS may end at a proxy
        ("https://FORMS.example.com", None, False),
        ("https://forms.example.com:8443", None, True),
        ("https://evil.example", None, True),
        ("https://evil.example", "same-origin", False),  # a proxy changed the Host
        ("null", None, True),
        ("null", "cross-site", True),
        ("http://[", None, True),
        (FIRM, "cross-site", False),
        (FIRM.upper(), None, False),
    ],
)
def test_the_rule(origin: str | None, fetch_site: str | None, *, refused: bool) -> None:
    host = "forms.example.com"
    asked = is_cross_site(host=host, origin=origin, fetch_site=fetch_site, allowed={FIRM})
    assert asked is refused


@given(st.text(), st.text(), st.none() | st.text())
def test_it_always_has_an_answer(host: str, origin: str, fetch_site: str | None) -> None:
    assert is_cross_site(host=host, origin=origin, fetch_site=fetch_site) in {True, False}


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=200).map(sorted),
    st.integers(1, 10),
    st.floats(0.1, 10),
)
def test_no_stretch_of_time_lets_more_through_than_the_limit(
    times: list[float], burst: int, seconds: float
) -> None:
    limiter = RateLimiter(seconds=seconds, burst=burst)
    granted = [at for at in times if limiter.take("a", at) == 0]
    for i, start in enumerate(granted):
        for count, end in enumerate(granted[i:], 1):
            assert count <= burst + (end - start) / seconds + 1e-6


def test_who_waits_as_long_as_told_is_let_in() -> None:
    limiter = RateLimiter(seconds=10, burst=1)
    assert limiter.take("a", 0.0) == 0
    assert limiter.take("a", 4.0) == 6
    assert limiter.take("a", 10.0) == 0


def test_keys_do_not_share() -> None:
    limiter = RateLimiter(seconds=10, burst=1)
    assert [limiter.take(key, 0.0) for key in "aba"] == [0, 0, 10]


@given(st.lists(st.integers(0, 1000), max_size=300))
def test_memory_is_bounded(keys: list[int]) -> None:
    limiter = RateLimiter(seconds=1, burst=1, capacity=16)
    for key in keys:
        limiter.take(str(key), 0.0)
    assert len(limiter) <= 16
