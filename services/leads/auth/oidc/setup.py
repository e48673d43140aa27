"""Signing in by a provider, put together from the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket
from services.leads.auth.accounts import ACCOUNTS
from services.leads.auth.oidc.provider import Client, Provider
from services.leads.auth.oidc.roles import parse_mapping
from services.leads.auth.oidc.sign_in import Oidc, Rules
from services.leads.settings import LeadsSettings

SIGN_INS = "SIGN_INS"


@asynccontextmanager
async def open_oidc(js: JetStreamContext, settings: LeadsSettings) -> AsyncIterator[Oidc | None]:
    """Yield what signing in needs, or None without a provider; nothing is asked of it yet."""
    issuer, client_id, redirect = (
        settings.oidc_issuer,
        settings.oidc_client_id,
        settings.oidc_redirect_url,
    )
    if not issuer or not client_id or not redirect:
        yield None
        return
    secret = settings.oidc_client_secret
    client = Client(issuer, client_id, secret.get_secret_value() if secret else None, redirect)
    provider = Provider(client, settings.oidc_ca)
    rules = Rules(
        scopes=settings.oidc_scopes,
        groups_claim=settings.oidc_groups_claim,
        roles=parse_mapping(settings.oidc_roles),
        may_create=settings.oidc_create_accounts,
        return_url=settings.oidc_return_url,
        max_age=timedelta(seconds=settings.session_seconds),
        prompt=settings.oidc_prompt,
    )
    try:
        yield Oidc(provider, client, rules, Bucket(js, SIGN_INS), Bucket(js, ACCOUNTS))
    finally:
        await provider.close()
