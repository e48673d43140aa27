"""What schemathesis cannot know: which positions the log has, and which leads there are."""

import os
from typing import Any

import schemathesis

LEAD = os.environ["LEADLOG_TEST_LEAD"]
LEAD_EMAIL = "ada@example.org"
OWN = os.environ["LEADLOG_TEST_OWN"].split()
"""The ids of its own account and session: it must not end its own login."""


@schemathesis.hook
def map_headers(context: Any, headers: dict[str, Any] | None) -> dict[str, Any] | None:
    """A position beyond the log is answered 503 by design, which a check calls a fault."""
    if headers and str(headers.get("Leadlog-Position", "")).isdigit():
        return {**headers, "Leadlog-Position": "1"}
    return headers


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> Any:
    """Half of the ids are those of a lead that exists."""
    if path_parameters and str(path_parameters.get("id", ""))[:1] in set("01234567"):
        return {**path_parameters, "id": LEAD}
    return path_parameters


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """What it found in lists it would use: to end its own login, and to erase the only lead."""
    if (case.path_parameters or {}).get("id") in OWN:
        case.path_parameters["id"] = LEAD
    if case.operation.path == "/people/erase" and isinstance(case.body, dict):
        found = str(case.body.get("email", "")).strip().lower() == LEAD_EMAIL
        case.body |= {"email": "nobody@example.org"} if found else {}
