"""A question that is asked again under the same key is the same question: one record, however often it was repeated."""

from __future__ import annotations

import re
import uuid

from starlette.datastructures import Headers

from services.common.http.problems import Problem

HEADER = "Idempotency-Key"
"""As the IETF's draft-ietf-httpapi-idempotency-key-header has it."""
SHORTEST, LONGEST = 16, 128

# Visible ASCII but for the two characters that a string of a structured field (RFC 9651) would have to escape. The
# draft wants it in quotation marks; many clients leave them out.
_CHARACTERS = rf"[!#-\[\]-~]{{{SHORTEST},{LONGEST}}}"
KEY_PATTERN = f'^({_CHARACTERS}|"{_CHARACTERS}")$'
"""A key as a header has it, for the OpenAPI document."""
_KEY = re.compile(rf'(?P<quote>"?)(?P<key>{_CHARACTERS})(?P=quote)')
_NAMESPACE = uuid.UUID("f2a51c3e-6f0b-5d0e-9f57-5c1b6a3c7d21")


def answer_id_of(headers: Headers, caller: str = "") -> str | None:
    """Find the id that an answer is to have.

    Args:
        headers: The request's headers.
        caller: Who asks, where that is known: keys of different callers never meet.

    Returns:
        The same id for the same caller and key, which nobody can guess who does not know both; None without a key.

    Raises:
        Problem: 400 if it is no key.
    """
    key = key_in(headers)
    return None if key is None else _id_of(caller, key)


def line_id_of(key: str, line: str, caller: str = "") -> str:
    """Find the id that the answer to a line of a batch is to have.

    Args:
        key: The batch's key, from `key_in`.
        line: The line's own id.
        caller: Who asks, where that is known.

    Returns:
        The same id for the same caller, key and line.
    """
    return _id_of(caller, key, line)


def key_in(headers: Headers) -> str | None:
    """Read a request's key; None where there is none.

    Raises:
        Problem: 400 if it is no key.
    """
    given = headers.getlist(HEADER)
    if not given:
        return None
    found = _KEY.fullmatch(given[0].strip()) if len(given) == 1 else None
    if found is None:
        raise Problem(
            400,
            "bad-idempotency-key",
            f"{HEADER} must be given once, as {SHORTEST} to {LONGEST} visible ASCII characters other than quotation "
            "marks and backslashes, which nobody else comes upon: a random UUID is one.",
        )
    return found["key"]


def _id_of(*parts: str) -> str:
    # Neither a caller's id nor a key holds a newline, so that no others come to the same text.
    return str(uuid.uuid5(_NAMESPACE, "\n".join(parts)))
