"""Keeping the password of a URL out of what is shown."""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_plus

_HIDDEN = "***"
_IN_QUERY = re.compile(r"([?&][^=&#]*(?:pass|pwd|secret|token)[^=&#]*=)([^&#]*)", re.IGNORECASE)


def without_password(url: str) -> str:
    """A URL fit to be shown, whether or not it can be read as one."""
    scheme, mark, rest = url.partition("://")
    userinfo, at, place = rest.rpartition("@")  # all that may be part of a password goes
    user, colon, _ = userinfo.partition(":")
    shown = f"{user}:{_HIDDEN}" if colon else user
    return _IN_QUERY.sub(rf"\1{_HIDDEN}", f"{scheme}{mark}{shown}{at}{place}")


def hidden(said: str, *urls: str | None) -> str:
    """A text from elsewhere, without the passwords of some URLs that may stand in it."""
    secrets = {secret for url in urls if url for secret in _secrets(url)}
    for secret in sorted(secrets, key=len, reverse=True):
        said = said.replace(secret, _HIDDEN)
    return said


def _secrets(url: str) -> set[str]:
    userinfo = url.partition("://")[2].rpartition("@")[0]
    written = {userinfo.partition(":")[2], *(value for _, value in _IN_QUERY.findall(url))}
    return {form(one) for one in written for form in (str, unquote, unquote_plus)} - {""}
