"""Who may do what changes a service's course.

With an admin token: whoever sends it. Without one: whoever is on this machine, if the service listens on a loopback
address; elsewhere nobody.
"""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import HTTPException, Request
from pydantic import AfterValidator, BeforeValidator, SecretStr

from services.common.problems import Problem


def _empty_is_unset(value: object) -> object:
    return None if value == "" else value  # compose passes ${UNSET:-} as an empty string


def _is_long_enough(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value()) < 16:
        raise ValueError("must have at least 16 characters")
    return value


AdminToken = Annotated[SecretStr | None, BeforeValidator(_empty_is_unset), AfterValidator(_is_long_enough)]
"""The setting of a service's admin token; empty is unset."""


def require_admin(
    request: Request, token: SecretStr | None, *, is_loopback: bool, kind: str, what: str, variable: str
) -> None:
    """Let an administrator's request pass.

    Args:
        request: The request.
        token: The admin token, or None where there is none.
        is_loopback: Whether only this machine can reach the service.
        kind: Kind of the problem where it is closed.
        what: What the administrator wants to do, at the beginning of a sentence.
        variable: The environment variable that would set the token.

    Raises:
        HTTPException: 401 if the token is missing or wrong.
        Problem: 403 if there is no token and the request is not known to come from this machine's own user.
    """
    if token is not None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        # Compared as bytes and in constant time: how long it takes must not tell how much of a guess is right.
        same = secrets.compare_digest(given.strip().encode(), token.get_secret_value().encode())
        if not same or scheme.lower() != "bearer":
            raise HTTPException(401, "Send the admin token as a bearer token.", headers={"WWW-Authenticate": "Bearer"})
        return
    if not is_loopback:
        raise Problem(
            403,
            kind,
            f"{what} is closed: this service listens beyond its own machine and has no admin token. "
            f"Set {variable} to open it.",
        )
    if "Origin" in request.headers:
        # A page in a browser on this machine reaches loopback too, without its user having meant it.
        raise Problem(403, kind, f"{what} without an admin token is not open to web pages.")
