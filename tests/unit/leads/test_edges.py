"""What the outside sees of the inside: errors and metrics."""

import inspect
from collections import Counter
from types import ModuleType

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.leads import commands, cursors, lead
from services.leads.auth import accounts, administration, joining, links, password_rules, passwords
from services.leads.auth.mfa.sealing import CannotOpen
from services.leads.metrics import ProjectionMetrics
from services.leads.projection import gate
from services.leads.routes.errors import ERRORS


@pytest.mark.parametrize(
    "module",
    [
        lead,
        commands,
        cursors,
        gate,
        passwords,
        password_rules,
        accounts,
        administration,
        joining,
        links,
    ],
)
def test_every_error_has_an_answer(module: ModuleType) -> None:
    errors = {
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ == module.__name__
    }

    assert errors
    assert errors - set(ERRORS) == set()


NO_MATTER_OF_TIME = {CannotOpen}
"""The operator must act first."""


def an_error(kind: type[Exception]) -> Exception:
    """One of this kind; some say how many seconds to wait."""
    try:
        return kind()
    except TypeError:
        return kind(30)


@pytest.mark.parametrize("kind", list(ERRORS))
def test_an_answer_says_what_to_do(kind: type[Exception]) -> None:
    problem = ERRORS[kind](an_error(kind))

    assert 400 <= problem.status < 600
    assert problem.title
    assert problem.detail
    waits = problem.status in {429, 503} and kind not in NO_MATTER_OF_TIME
    assert ("Retry-After" in problem.headers) == waits


def test_progress_is_measured() -> None:
    registry, skipped = CollectorRegistry(), Counter[str]()
    metrics = ProjectionMetrics(registry, skipped)
    metrics.projected(3)
    metrics.projected(4)
    metrics.lag(12)
    skipped["unknown"] += 2
    shown = generate_latest(registry).decode()

    assert "events_projected_total 7.0" in shown
    assert "projection_lag_events 12.0" in shown
    assert 'events_skipped{reason="unknown"} 2.0' in shown
    assert 'events_skipped{reason="undecodable"} 0.0' in shown
