"""Signing in: a person in a browser shows a key, which the browser then sends by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import APIRouter, Request
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from services.common.auth import OPEN, Right
from services.common.auth.keyring import Keyring, Refusal
from services.common.http.body import read_body
from services.common.http.page_headers import PAGE_HEADERS
from services.common.http.problems import Problem
from services.gateway.web.content_negotiation import prefers_html
from trustvqa.reports.rendering import render

COOKIE: Final = "trustvqa_key"
PATH: Final = "/sign-in"
_TEMPLATES: Final = Path(__file__).parent / "templates"
# Pages that signing in may lead to. Nothing else: an address in a link must not lead to another site.
_PAGES: Final = ("/", "/calibration", "/reviews", "/docs")
_MAX_BODY: Final = 2_000
_BODY_S: Final = 10.0
_SAFE: Final = ("GET", "HEAD")
_FRESH: Final = {**PAGE_HEADERS, "Cache-Control": "no-store"}
_WRONG: Final = {
    Refusal.MISSING: "Enter a key.",
    Refusal.UNKNOWN: "This is no key of this service.",
    Refusal.EXPIRED: "This key has expired.",
}


class SignIn:
    """The page that asks for a key, and the cookie in which a browser keeps it.

    The cookie holds the key itself: there are no sessions that several gateways would have to share, and a key that is
    removed lets nobody in from that moment on. Scripts cannot read it, other sites' pages cannot have it sent, and it
    goes when the browser is closed.
    """

    def __init__(self) -> None:
        self.router = APIRouter(dependencies=[OPEN], include_in_schema=False)
        self.router.add_api_route(PATH, self._show, methods=["GET"])
        self.router.add_api_route(PATH, self._take, methods=["POST"])
        self.router.add_api_route("/sign-out", self._forget, methods=["POST"])

    def key_from(self, scope: Scope) -> str | None:
        """Read the key that a browser sends by itself, unless another site's page made it do so."""
        headers = Headers(scope=scope)
        text = cookie_parser(headers.get("cookie", "")).get(COOKIE)
        if not text:
            return None
        if scope["method"] in _SAFE:
            # Whoever follows a link may see the page. What another page loads by itself is none of its business.
            site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode")
            return text if site in ("same-origin", "none") or mode == "navigate" else None
        return text if is_from_own_page(headers) else None

    def sign_in(self, scope: Scope) -> Response | None:
        """Lead whoever wants a page to where a key can be shown; None for programs."""
        if scope["method"] not in _SAFE or not prefers_html(Headers(scope=scope).get("accept", "")):
            return None
        following = urlencode({"next": scope["path"]}) if scope["path"] in _PAGES[1:] else ""
        return RedirectResponse(f"{PATH}?{following}" if following else PATH, 303, {"Cache-Control": "no-store"})

    async def _show(self, request: Request) -> Response:
        return _page(_place(request.query_params.get("next")))

    async def _take(self, request: Request) -> Response:
        _refuse_other_sites(request.headers)
        body = await read_body(request.scope, request.receive, _MAX_BODY, _BODY_S)
        fields = parse_qs((body or b"").decode("ascii", "replace"))
        place = _place(fields.get("next", [""])[0])
        text = fields.get("key", [""])[0].strip()
        keyring: Keyring = request.app.state.keyring
        found = keyring.find(text or None)
        if isinstance(found, Refusal):
            return _page(place, _WRONG[found], 401)
        if not found.allows(Right.ASK):
            return _page(place, "This key does not allow to ask: it takes one with the scope ask.", 403)
        response = RedirectResponse(place, 303, {"Cache-Control": "no-store"})
        # Behind a proxy that ends TLS this process sees plain HTTP; the browser says what it sees.
        secure = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
        response.set_cookie(COOKIE, text, path="/", httponly=True, samesite="strict", secure=secure)
        return response

    async def _forget(self, request: Request) -> Response:
        _refuse_other_sites(request.headers)
        response = RedirectResponse(PATH, 303, {"Cache-Control": "no-store"})
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return response


def is_from_own_page(headers: Headers) -> bool:
    """Whether a browser sent a request for a page of this very site."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    # Browsers leave that header out where the address is neither https nor this machine's own.
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")


def _refuse_other_sites(headers: Headers) -> None:
    if not is_from_own_page(headers):
        raise Problem(403, "foreign-page", "Only the page of this gateway signs in and out.")


def _place(wanted: str | None) -> str:
    return wanted if wanted in _PAGES else _PAGES[0]


def _page(place: str, problem: str = "", status: int = 200) -> Response:
    shown = {"next": place, "problem": problem}
    return HTMLResponse(render("sign-in.html", shown, _TEMPLATES), status, _FRESH)
