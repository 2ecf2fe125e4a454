"""Who may speak with the dashboard: this machine, or whoever has the token; never another site."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, make_response, redirect, request

_OWN_SITE = ("same-origin", "none")


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, reached from nowhere else."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def cookie_name(token: str) -> str:
    """What the cookie with a token is called: cookies are a host's, whatever the port."""
    return f"mbnas_{hashlib.sha256(token.encode()).hexdigest()[:12]}"


def guard(server: Flask, token: str | None, script_hashes: Sequence[str]) -> None:
    """Lets through only what the dashboard's own pages ask for.

    Args:
        server: The web server.
        token: What every visitor must bring, in the address of the first page; None for a server
            that is bound to loopback, which then answers only to loopback's names.
        script_hashes: Of the inline scripts that the pages hold.
    """
    policy = (
        "default-src 'none'; connect-src 'self'; font-src 'self' data:; base-uri 'none';"
        f" script-src 'self' {' '.join(script_hashes)}; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data: blob:; form-action 'none'; frame-ancestors 'none'"
    )

    @server.before_request
    def check() -> Response | None:
        # Another site's page, in this browser, may not ask anything in the reader's name.
        if request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITE and not _is_visit():
            return _refused("asked by another site's page")
        if request.method != "GET" and not _is_own_origin():
            return _refused("not asked by a page of this dashboard")
        if token is None:
            # A foreign name that resolves to loopback (DNS rebinding) is not a visitor.
            host = urlsplit(f"//{request.host}").hostname or ""
            return None if is_loopback(host) else _refused("asked for by a foreign name")
        return _with_token(token)

    @server.after_request
    def harden(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def _is_visit() -> bool:
    """Whether somebody follows a link to a page, which only shows it."""
    return request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"


def _is_own_origin() -> bool:
    origin = request.headers.get("Origin")
    if origin is None or urlsplit(origin).netloc != request.host:
        return False
    return request.mimetype == "application/json"  # what a foreign form cannot send


def _with_token(token: str) -> Response | None:
    given = request.args.get("token")
    if given is not None and _same(given, token):
        # From the address into a cookie, so that it stands in no history and no picture.
        response = make_response(redirect(_without_token()))
        # A link from a chat is followed as another site's, through the redirect; a strict cookie
        # would stay behind. What acts comes from an own page, see `_is_own_origin`.
        response.set_cookie(cookie_name(token), token, httponly=True, samesite="Lax")
        return response
    held = request.cookies.get(cookie_name(token), "")
    return None if _same(held, token) else _refused("needs its token")


def _without_token() -> str:
    """The address that is asked for, with all that it names but the token."""
    others = [(key, text) for key, text in request.args.items(multi=True) if key != "token"]
    return f"{request.path}?{urlencode(others)}" if others else request.path


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _refused(reason: str) -> Response:
    text = f"mbnas dashboard: {reason}; open the address that the command printed\n"
    return Response(text, status=403, mimetype="text/plain")
