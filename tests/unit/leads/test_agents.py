"""What a client calls itself, for people."""

import pytest

from services.leads.auth.agents import in_words


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("", "an unknown program"),
        ("curl/8.5", "curl"),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
                " Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
            ),
            "Edge on Windows",
        ),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
                " (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
            ),
            "Safari on iPhone",
        ),
    ],
)
def test_a_client_is_shown_in_plain_words(agent: str, words: str) -> None:
    assert in_words(agent) == words
