"""Every call to an archive has an end, in time and in bytes, and no error tells of a patient."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from services.common.pacs.archive import Archive, InstanceReference, PacsCredentials
from services.common.pacs.errors import ArchiveAwayError, ArchiveRefusedError, PacsError
from tests.support.servers import free_port, running

ABOUT = InstanceReference("1.2.3", "1.2.4", "1.2.5")


class Behaviour:
    """The next reply of an archive, and how it was asked."""

    def __init__(self) -> None:
        self.reply: Callable[[], Response] = lambda: Response(status_code=204)
        self.headers: dict[str, str] = {}

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.api_route("/{path:path}", methods=["GET", "POST"])
        async def anything(path: str, request: Request) -> Response:
            await request.body()
            self.headers = dict(request.headers)
            return self.reply()

        return app


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Behaviour, str]]:
    behaviour = Behaviour()
    with running(behaviour.app()) as url:
        yield behaviour, url


async def dribble() -> AsyncIterator[bytes]:
    yield b"["
    while True:
        await asyncio.sleep(0.05)
        yield b" "


def test_a_reply_that_dribbles_in_ends_with_the_deadline(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.reply = lambda: StreamingResponse(dribble(), media_type="application/dicom+json")
    started = time.monotonic()
    with pytest.raises(ArchiveAwayError, match=r"no whole reply within 0\.5 s"):
        Archive(url, deadline_s=0.5).metadata(ABOUT)
    assert time.monotonic() - started < 5


def test_a_reply_that_is_too_large_is_refused(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.reply = lambda: Response(b"[" + b" " * 100_000 + b"]", media_type="application/dicom+json")
    with pytest.raises(ArchiveRefusedError, match="more than 1000 bytes"):
        Archive(url, max_bytes=1000).metadata(ABOUT)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, ArchiveRefusedError), (404, ArchiveRefusedError), (429, ArchiveAwayError), (503, ArchiveAwayError)],
)
def test_what_will_not_work_later_is_told_from_what_may(
    status: int, kind: type[PacsError], server: tuple[Behaviour, str]
) -> None:
    behaviour, url = server
    behaviour.reply = lambda: Response(b"Secret^Patient", status_code=status)
    archive = Archive(url)
    calls: list[Callable[[], object]] = [
        lambda: archive.metadata(ABOUT),
        lambda: archive.fetch(ABOUT),
        lambda: archive.find({"Modality": "CT"}, [], limit=1),
    ]
    for call in calls:
        with pytest.raises(kind) as caught:
            call()
        assert str(status) in str(caught.value)
        assert "Secret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"nonsense Secret^Patient", b"[{]", b'["Secret^Patient"]', b"null", b""])
def test_nonsense_is_refused_without_being_quoted(content: bytes, server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.reply = lambda: Response(content, media_type="application/dicom+json")
    with pytest.raises(PacsError) as caught:
        Archive(url).metadata(ABOUT)
    assert "Secret" not in str(caught.value)


def test_an_archive_that_is_away_is_said_to_be() -> None:
    with pytest.raises(ArchiveAwayError, match="cannot be reached"):
        Archive(f"http://127.0.0.1:{free_port()}").metadata(ABOUT)


@pytest.mark.parametrize(
    ("credentials", "shown"),
    [
        (PacsCredentials(), None),
        (PacsCredentials(token="t0k3n"), "Bearer t0k3n"),
        (PacsCredentials(user="u", password="p"), "Basic dTpw"),
    ],
)
def test_credentials_are_shown(credentials: PacsCredentials, shown: str | None, server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.reply = lambda: Response(b"[]", media_type="application/dicom+json")
    assert Archive(url, credentials).find({"Modality": "CT"}, [], limit=1) == []
    assert behaviour.headers.get("authorization") == shown


def test_an_object_that_is_not_taken_is_an_error(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    failed: Any = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [49_152]}}]}}
    behaviour.reply = lambda: Response(json.dumps(failed), status_code=202, media_type="application/dicom+json")
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.5"
    report.ensure_file_meta()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with pytest.raises(ArchiveRefusedError):
        Archive(url).store(report)
