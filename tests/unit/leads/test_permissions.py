"""The table of permissions, and what a service without a complete one does."""

import pytest
from aiohttp import web

from libs.chassis.operations import Operation
from services.leads.auth.permissions import (
    ROLE_PERMISSIONS,
    Permission,
    Role,
    TableIncomplete,
    permissions_by_route,
)


async def _handler(_: web.Request) -> web.Response:
    return web.Response()


def an_operation(operation_id: str, *, security: bool) -> Operation:
    return Operation(
        method="GET",
        path="/x",
        handler=_handler,
        operation_id=operation_id,
        summary="x",
        responses={200: None},
        security=security,
    )


def test_each_role_can_do_what_the_one_below_can_and_more() -> None:
    viewer, attorney, admin = (ROLE_PERMISSIONS[role] for role in Role)
    assert viewer < attorney < admin
    assert admin == set(Permission)
    assert Permission.LEADS_REACH_OUT not in viewer
    assert attorney.isdisjoint({Permission.ACCOUNTS_MANAGE, Permission.AUDIT_READ})


def test_a_listed_operation_needs_its_permission() -> None:
    routes = permissions_by_route([an_operation("download_resume", security=True)])
    assert routes == {("GET", "/x"): Permission.RESUMES_READ}


def test_an_open_operation_needs_nothing() -> None:
    assert permissions_by_route([an_operation("show_keys", security=False)]) == {}


@pytest.mark.parametrize(
    ("operation_id", "security"), [("not_in_the_table", True), ("list_leads", False)]
)
def test_a_table_that_says_something_else_is_refused(operation_id: str, security: bool) -> None:  # noqa: FBT001
    with pytest.raises(TableIncomplete, match=operation_id):
        permissions_by_route([an_operation(operation_id, security=security)])
