"""A real identity provider (the npm package oidc-provider), and a browser without JavaScript."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
from multidict import CIMultiDictProxy

FOLDER = Path(__file__).resolve().parents[2] / "oidc"
CLIENT_ID = "leadlog"
SECRET = "a secret: with & characters"


@asynccontextmanager
async def provider(redirect_url: str, people: dict[str, Any], **more: Any) -> AsyncIterator[str]:
    """Run a provider that knows us and some people; its issuer address."""
    node = shutil.which("node")
    assert node, "run `make test`: it sees to Node.js and the provider"
    client = {
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "redirect_uris": [redirect_url],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
    }
    settings = {"client": client, "people": people, **more}
    process = await asyncio.create_subprocess_exec(
        node,
        "provider.mjs",
        json.dumps(settings),
        cwd=FOLDER,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        assert line, "run `make test`: it installs the provider"
        yield line.decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Browser:
    """Follows redirects, keeps cookies and fills in the provider's forms."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.visited: list[str] = []

    async def sign_in(self, url: str, login: str, *, until: str) -> str:
        """Go from a page to the first address that begins with ``until``, which is not opened."""
        method, form = "GET", None
        for _ in range(12):
            if url.startswith(until):
                return url
            status, headers, page = await self._open(method, url, form)
            if status in {302, 303}:
                url, method, form = urljoin(url, headers["Location"]), "GET", None
                continue
            assert status == 200, page
            action = re.search(r'action="([^"]+)"', page)
            assert action, page
            url, method = urljoin(url, action[1]), "POST"
            prompt = re.search(r'name="prompt" value="(\w+)"', page)
            assert prompt, page
            form = {"prompt": prompt[1]}
            if prompt[1] == "login":
                form |= {"login": login, "password": "any"}
        raise AssertionError(self.visited)

    async def get(self, url: str) -> tuple[int, CIMultiDictProxy[str], str]:
        """Open an address; redirects are not followed."""
        return await self._open("GET", url, None)

    async def _open(
        self, method: str, url: str, form: dict[str, str] | None
    ) -> tuple[int, CIMultiDictProxy[str], str]:
        self.visited.append(url)
        async with self._session.request(method, url, data=form, allow_redirects=False) as answer:
            return answer.status, answer.headers, await answer.text()


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A browser with its own cookies."""
    jar = aiohttp.CookieJar(unsafe=True)  # addresses instead of names
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Browser(session)
