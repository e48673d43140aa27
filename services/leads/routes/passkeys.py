"""One's own passkeys: add, list, rename, remove."""

from typing import Final

from aiohttp import web

from libs.chassis.api import parse_json, path_uuid
from services.leads.audit import note
from services.leads.auth import login
from services.leads.auth.mfa import passkey_flow
from services.leads.auth.mfa.passkeys import PasskeyRefused
from services.leads.keys import AUTH, now
from services.leads.routes.api import api
from services.leads.routes.mfa_models import (
    NewPasskey,
    PasskeyAdded,
    PasskeyList,
    PasskeyOptions,
    PasskeyProof,
    PasskeyRename,
    PasskeyView,
)
from services.leads.routes.notices import tell_owner
from services.leads.routes.recent import RECENT, me, me_just_proved
from services.leads.routes.responses import model_response

TAGS: Final = ["passkeys"]


@api.operation(
    "GET",
    "/auth/passkeys",
    summary="List one's own passkeys",
    responses={200: PasskeyList},
    security=True,
    tags=TAGS,
)
async def list_passkeys(request: web.Request) -> web.Response:
    """Answer them, oldest first."""
    own = (await me(request)).credentials.passkeys
    return model_response(PasskeyList(passkeys=[PasskeyView.of(one) for one in own]))


@api.operation(
    "POST",
    "/auth/passkey-registrations",
    summary="Begin to add a passkey",
    description=f"The challenge is good for ten minutes and one answer. {RECENT}",
    responses={201: PasskeyOptions},
    security=True,
    tags=TAGS,
)
async def begin_passkey(request: web.Request) -> web.Response:
    """Answer what `navigator.credentials.create()` needs."""
    asking = await me_just_proved(request)
    ceremony, options = await passkey_flow.begin_registration(
        request.app[AUTH].mfa, asking.stored.account, asking.session_id, now()
    )
    return model_response(PasskeyOptions(ceremony=ceremony, options=options), status=201)


@api.operation(
    "POST",
    "/auth/passkeys",
    summary="Add a passkey",
    description=(
        f"It can sign in without a password from now on, and is the second step after one. {RECENT}"
    ),
    body=NewPasskey,
    responses={201: PasskeyAdded},
    problems=(409, 410, 503),
    security=True,
    tags=TAGS,
)
async def add_passkey(request: web.Request) -> web.Response:
    """Keep the passkey that the browser made."""
    asking = await me_just_proved(request)
    sent = await parse_json(request, NewPasskey)
    passkey, codes = await passkey_flow.register(
        request.app[AUTH].mfa,
        asking.session_id,
        sent.name,
        sent.ceremony,
        sent.credential.model_dump(exclude_none=True),
        now(),
    )
    await note(request, "passkey.added", target=f"account:{asking.account_id}", passkey=passkey.id)
    # Making it verified its user just now, as using it would.
    methods = passkey_flow.methods_of(passkey)
    await login.strengthen(request.app[AUTH], asking.session_id, methods, now())
    await tell_owner(request, asking.stored.account, "passkey-added")
    added = PasskeyAdded(passkey=PasskeyView.of(passkey), recovery_codes=list(codes))
    return model_response(added, status=201)


@api.operation(
    "PATCH",
    "/auth/passkeys/{id}",
    summary="Rename a passkey",
    body=PasskeyRename,
    responses={200: PasskeyView},
    security=True,
    tags=TAGS,
)
async def rename_passkey(request: web.Request) -> web.Response:
    """Give it another name."""
    passkey_id = str(path_uuid(request, "id"))
    asking = await me(request)
    sent = await parse_json(request, PasskeyRename)
    renamed = await passkey_flow.rename(
        request.app[AUTH].mfa, asking.account_id, passkey_id, sent.name
    )
    return model_response(PasskeyView.of(renamed))


@api.operation(
    "DELETE",
    "/auth/passkeys/{id}",
    summary="Remove a passkey",
    description=f"Refused when it is the only factor and the role must have one. {RECENT}",
    responses={204: None},
    problems=(409, 503),
    security=True,
    tags=TAGS,
)
async def remove_passkey(request: web.Request) -> web.Response:
    """Take it away."""
    passkey_id = str(path_uuid(request, "id"))
    asking = await me_just_proved(request)
    account = asking.stored.account
    await passkey_flow.remove(request.app[AUTH].mfa, account.id, account.role, passkey_id)
    await note(request, "passkey.removed", target=f"account:{account.id}", passkey=passkey_id)
    await tell_owner(request, account, "passkey-removed")
    return web.Response(status=204)


@api.operation(
    "POST",
    "/auth/step-up/passkey/options",
    summary="Begin to prove with a passkey that it is still you",
    responses={201: PasskeyOptions},
    security=True,
    tags=TAGS,
)
async def begin_passkey_step_up(request: web.Request) -> web.Response:
    """Answer what `navigator.credentials.get()` needs."""
    asking = await me(request)
    ceremony, options = await passkey_flow.begin_step_up(
        request.app[AUTH].mfa, asking.account_id, asking.session_id, now()
    )
    return model_response(PasskeyOptions(ceremony=ceremony, options=options), status=201)


@api.operation(
    "POST",
    "/auth/step-up/passkey",
    summary="Prove with a passkey that it is still you",
    body=PasskeyProof,
    responses={204: None},
    problems=(410, 503),
    security=True,
    tags=TAGS,
)
async def step_up_with_passkey(request: web.Request) -> web.Response:
    """Make this login fresh, and as strong as a passkey."""
    asking = await me(request)
    sent = await parse_json(request, PasskeyProof)
    auth, at, target = request.app[AUTH], now(), f"account:{asking.account_id}"
    try:
        passed = await passkey_flow.prove(
            auth.mfa,
            sent.ceremony,
            sent.credential.model_dump(exclude_none=True),
            at,
            session_id=asking.session_id,
        )
    except PasskeyRefused as refused:
        await note(
            request, "session.step-up", target=target, outcome="refused", reason=refused.reason
        )
        raise
    await note(request, "session.step-up", target=target)
    await login.strengthen(auth, asking.session_id, passed.methods, at)
    return web.Response(status=204)
