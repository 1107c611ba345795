"""DICOM objects by their address: from the archives that the operator named, as they are asked for, and in bounds."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from services.gateway.archives.references import reference_of
from services.gateway.settings import GatewaySettings
from tests.prompt4trust.pictures.dicom.objects import bundled_file
from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.servers import running

DATA = bundled_file("MR_small.dcm").read_bytes()
STUDY = "1.3.6.1.4.1.5962.1.2.4.20040826185059.5457"
SERIES = "1.3.6.1.4.1.5962.1.3.4.1.20040826185059.5457"
INSTANCE = "1.3.6.1.4.1.5962.1.1.4.1.1.20040826185059.5457"
PATH = f"/studies/{STUDY}/series/{SERIES}/instances/"
seen: list[Request] = []
release = threading.Event()


def archive() -> FastAPI:
    """A DICOMweb service with one object, and instances at which it misbehaves."""
    app = FastAPI()

    @app.get("/dicom-web/studies/{study}/series/{series}/instances/{instance}")
    def retrieve(request: Request, instance: str) -> Response:
        seen.append(request)
        if instance == "9.404":
            return Response(status_code=404)
        if instance == "9.302":
            return RedirectResponse("/dicom-web" + PATH + INSTANCE, 302)
        if instance == "9.500":
            return Response("PLANTED secret", status_code=500)
        if instance == "9.200":
            return Response(b"<html>PLANTED</html>", media_type="text/html")
        if instance == "9.413":
            return Response(bytes(3_000_000), media_type="application/dicom")
        if instance == "9.504":
            release.wait(20)
        content = b"--seam\r\nContent-Type: application/dicom\r\n\r\n" + DATA + b"\r\n--seam--\r\n"
        return Response(content, headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=seam'})

    @app.get("/wado")
    def wado(request: Request) -> Response:
        seen.append(request)
        return Response(DATA, media_type="application/dicom")

    return app


@pytest.fixture(scope="module")
def pacs() -> Iterator[str]:
    with running(archive()) as url:
        yield url


@pytest.fixture(scope="module")
def asking(pacs: str, make_gateway: MakeGateway) -> Iterator[httpx.Client]:
    with (
        make_gateway(
            archives={f"{pacs}/dicom-web", f"{pacs}/wado"},
            archive_authorization="Basic c2VjcmV0",
            archive_deadline_s=2.0,
            max_image_bytes=2_000_000,
        ) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        yield client


def test_an_object_is_fetched_by_either_kind_of_address(asking: httpx.Client, pacs: str, upstream: Upstream) -> None:
    uri = f"{pacs}/wado?requestType=WADO&studyUID={STUDY}&seriesUID={SERIES}&objectUID={INSTANCE}"
    uids = {"study_uid": STUDY, "series_uid": SERIES, "sop_instance_uid": INSTANCE}
    for address in (f"{pacs}/dicom-web{PATH}{INSTANCE}", uri, {"archive": f"{pacs}/dicom-web/", **uids}):
        reply = asking.post("/vqa", json=body(image=address))
        assert reply.status_code == 200, reply.text
        assert reply.json()["picture"]["dicom"]["sop_instance_uid"] == INSTANCE
        assert seen[-1].headers["authorization"] == "Basic c2VjcmV0"
    assert "c2VjcmV0" not in repr(upstream.headers)


@pytest.mark.parametrize(
    ("instance", "status", "kind"),
    [
        ("9.404", 422, "archive-object-missing"),
        ("9.302", 502, "archive-failed"),
        ("9.500", 502, "archive-failed"),
        ("9.200", 502, "archive-failed"),
        ("9.413", 413, "image-file-too-large"),
        ("9.504", 504, "archive-timeout"),
        ("9.1", 502, "archive-failed"),  # another object than the one that was asked for
    ],
)
def test_an_archive_that_misbehaves(asking: httpx.Client, pacs: str, instance: str, status: int, kind: str) -> None:
    reply = asking.post("/vqa", json=body(image=f"{pacs}/dicom-web{PATH}{instance}"))
    release.set()
    assert_problem(reply, status, kind)
    assert "PLANTED" not in reply.text
    release.clear()


def test_other_addresses_are_never_asked(asking: httpx.Client, client: httpx.Client, pacs: str) -> None:
    before = len(seen)
    for address in (
        f"{pacs}/dicom-web/studies/1.2",
        f"{pacs}/dicom-web{PATH}{INSTANCE}/frames/1",
        f"{pacs}/dicom-web/../wado{PATH}{INSTANCE}",
        f"{pacs}/dicom-web-other{PATH}{INSTANCE}",
        f"http://169.254.169.254/dicom-web{PATH}{INSTANCE}",
        f"{pacs.replace('http://', 'http://user@')}/dicom-web{PATH}{INSTANCE}",
        f"{pacs}/wado?requestType=WADO&studyUID={STUDY}&seriesUID=x&objectUID={INSTANCE}",
    ):
        assert_problem(asking.post("/vqa", json=body(image=address)), 422, "archive-not-allowed")
    uids = {"study_uid": STUDY, "series_uid": SERIES, "sop_instance_uid": INSTANCE}
    for named, field in (
        ({"archive": "http://169.254.169.254/dicom-web", **uids}, None),
        ({"archive": f"{pacs}/dicom-web", **uids, "sop_instance_uid": "1.2/../../x"}, "image.sop_instance_uid"),
        ({"archive": "file:///etc", **uids}, "image.archive"),
        ({**uids}, "image.archive"),
        ({"archive": f"{pacs}/dicom-web", **uids, "frame": 1}, "image.frame"),
        ({}, '"field":"image"'),
        ({"url": f"{pacs}/dicom-web{PATH}{INSTANCE}"}, '"field":"image"'),
    ):
        reply = asking.post("/vqa", json=body(image=named))
        assert_problem(reply, 422, "archive-not-allowed" if field is None else "invalid-request")
        assert field is None or field in reply.text, reply.text
    # A gateway without archives fetches nothing.
    assert_problem(client.post("/vqa", json=body(image=f"{pacs}/dicom-web{PATH}{INSTANCE}")), 422, "invalid-request")
    assert len(seen) == before


def test_what_is_asked_for_is_made_of_uids() -> None:
    base = "https://pacs.example/wado"
    found = reference_of(f"{base}?objectUID=1.4&studyUID=1.2&seriesUID=1.3&contentType=image/jpeg&x=http://a", [base])
    assert found is not None
    assert (
        found.url == f"{base}?requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4&contentType=application%2Fdicom"
    )
    for twice in ("&objectUID=1.5", "&OBJECTUID=1.5"):
        assert reference_of(f"{base}?studyUID=1.2&seriesUID=1.3&objectUID=1.4{twice}", [base]) is None


@pytest.mark.parametrize(
    "wrong", ["pacs.example", "ftp://pacs.example/x", "https://a@pacs.example/x", "https://pacs.example"]
)
def test_a_setting_that_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="no archive"):
        GatewaySettings(archives={wrong})
