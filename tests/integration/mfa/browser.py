"""Chromium with a virtual authenticator, on pages of the test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, CDPSession, Page

_CREATE = """async options => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return (await navigator.credentials.create({publicKey})).toJSON();
}"""
_GET = """async options => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({publicKey})).toJSON();
}"""
_AUTHENTICATOR = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@dataclass
class Laptop:
    """A page, and the authenticator behind it."""

    page: Page
    devtools: CDPSession
    authenticator: str

    async def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.create()` returns."""
        made: dict[str, Any] = await self.page.evaluate(_CREATE, options)
        return made

    async def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.get()` returns."""
        signed: dict[str, Any] = await self.page.evaluate(_GET, options)
        return signed

    async def set_verified(self, *, verified: bool) -> None:
        """Whether the user passes the authenticator's own check from now on."""
        await self.devtools.send(
            "WebAuthn.setUserVerified",
            {"authenticatorId": self.authenticator, "isUserVerified": verified},
        )

    async def credentials(self) -> list[dict[str, Any]]:
        """Everything that the authenticator holds, private keys and counters too."""
        answer = await self.devtools.send(
            "WebAuthn.getCredentials", {"authenticatorId": self.authenticator}
        )
        held: list[dict[str, Any]] = answer["credentials"]
        return held

    async def drop(self, credential: dict[str, Any]) -> None:
        """Make the authenticator forget a credential."""
        await self.devtools.send(
            "WebAuthn.removeCredential",
            {"authenticatorId": self.authenticator, "credentialId": credential["credentialId"]},
        )

    async def hold(self, credential: dict[str, Any]) -> None:
        """Make the authenticator hold a copy of a credential."""
        await self.devtools.send(
            "WebAuthn.addCredential",
            {"authenticatorId": self.authenticator, "credential": credential},
        )


@asynccontextmanager
async def origin() -> AsyncIterator[str]:
    """A web origin on this machine, with an empty page."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>test</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    async with TestServer(app, host="localhost") as server:
        yield f"http://localhost:{server.port}"


async def open_laptop(browser: Browser, address: str) -> Laptop:
    page = await browser.new_page()
    await page.goto(address)
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    added = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": _AUTHENTICATOR})
    return Laptop(page, devtools, added["authenticatorId"])
