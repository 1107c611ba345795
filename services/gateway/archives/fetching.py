"""Fetching DICOM objects from archives: within bounds of size, time and number, and from nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import Message
from typing import Final

import anyio
import httpx
import structlog
from pydantic import SecretStr

from services.common.http.problems import Problem
from services.gateway.archives.references import ArchiveReference, reference_of

_ACCEPT: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*, application/dicom;q=0.9'
_ROOM: Final = 10_000  # bytes of a multipart body beside its one part
_MISSING: Final = frozenset({404, 410})
_log = structlog.get_logger(__name__)


class Archives:
    """Archives that DICOM objects may be fetched from.

    Args:
        http: A client that follows no redirects, since one would lead out of the list.
        addresses: Beginnings of addresses that may be asked.
        authorization: Value of the header Authorization for all of them, or None.
        max_bytes: Largest object.
        timeout_s: Seconds for one object.
        places: Objects that are fetched, or held until they are decoded, at once.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        addresses: frozenset[str],
        authorization: SecretStr | None,
        *,
        max_bytes: int,
        timeout_s: float,
        places: int,
    ) -> None:
        self._http = http
        self._addresses = sorted(addresses)
        self._authorization = authorization
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._places = anyio.CapacityLimiter(places)

    @asynccontextmanager
    async def object(self, address: str) -> AsyncIterator[tuple[bytes, str]]:
        """Hold an object for the length of a block.

        Args:
            address: What a client sent.

        Yields:
            The object's file, unchecked, and the SOP Instance UID that it must have.

        Raises:
            Problem: 422 if the address is not allowed or there is no such object, 413 if it is too large, 502 or 503 if
                the archive fails, 504 if it is slow.
        """
        reference = reference_of(address, self._addresses)
        if reference is None:
            raise Problem(
                422,
                "archive-not-allowed",
                "The picture's address is of no archive that this gateway fetches from, or names no instance there.",
            )
        async with self._places:
            yield await self._fetched(reference), reference.sop_instance_uid

    async def _fetched(self, reference: ArchiveReference) -> bytes:
        headers = {"Accept": _ACCEPT, "Accept-Encoding": "identity"}
        if self._authorization is not None:
            headers["Authorization"] = self._authorization.get_secret_value()
        try:
            # httpx's own limits are for each read: an archive that drips would hold a place for ever.
            with anyio.fail_after(self._timeout_s):
                async with self._http.stream("GET", reference.url, headers=headers, timeout=self._timeout_s) as reply:
                    _check_status(reply.status_code)
                    data = bytearray()
                    async for chunk in reply.aiter_raw():
                        data += chunk
                        if len(data) > self._max_bytes + _ROOM:
                            raise _too_large(self._max_bytes)
                    kind = reply.headers.get("content-type", "")
        except (TimeoutError, httpx.TimeoutException):
            raise Problem(504, "archive-timeout", "The archive did not send the object in time.") from None
        except httpx.HTTPError as error:
            _log.warning("an archive cannot be reached", reason=type(error).__name__)
            raise Problem(503, "archive-unavailable", "The archive cannot be reached: try again later.") from None
        found = part_of(bytes(data), kind)
        if len(found) > self._max_bytes:
            raise _too_large(self._max_bytes)
        return found


def _check_status(status: int) -> None:
    if status in _MISSING:
        raise Problem(422, "archive-object-missing", "The archive has no such object.")
    if status != httpx.codes.OK:
        _log.warning("an archive refused an object", status=status)
        raise _failed()


def _failed() -> Problem:
    return Problem(502, "archive-failed", "The archive sent something else than the object: tell the operator.")


def _too_large(most: int) -> Problem:
    return Problem(413, "image-file-too-large", f"The image may have {most / 1e6:g} MB, and the archive's has more.")


def other_object() -> Problem:
    """Refuse what an archive sent in place of the object that was asked for: it may be another patient's."""
    _log.error("an archive sent another object than the one that was asked for")
    return _failed()


def part_of(body: bytes, content_type: str) -> bytes:
    r"""Take the object out of a reply: its body, or the only part of a multipart one.

    Raises:
        Problem: 502 if there is none, or more than one.

    Example:
        >>> part_of(b"--x\r\nContent-Type: application/dicom\r\n\r\nOBJECT\r\n--x--", 'multipart/related; boundary="x"')
        b'OBJECT'
    """
    told = Message()
    told["Content-Type"] = content_type or "application/octet-stream"
    if told.get_content_type() in ("application/dicom", "application/octet-stream"):
        return body
    boundary = told.get_param("boundary")
    if told.get_content_type() != "multipart/related" or not isinstance(boundary, str) or not boundary:
        raise _failed()
    mark = b"--" + boundary.encode("ascii", "replace")
    start = body.find(mark)
    head = body.find(b"\r\n\r\n", start)
    end = body.find(b"\r\n" + mark, head)
    if min(start, head, end) < 0 or not body[end + 2 + len(mark) :].lstrip().startswith(b"--"):
        raise _failed()
    return body[head + 4 : end]
