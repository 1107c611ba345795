"""OHIF, a viewer of radiology, lists an answer's report beside the slice that it is about."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from pydicom import dcmread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from services.common.pacs.archive import Archive
from services.common.pacs.reports import store_report
from tests.services.listener.orthanc import Orthanc, slices
from tests.services.listener.test_round_trip import RULE_OF
from tests.support.browser import chromium
from tests.support.servers import running

DIST = Path(os.environ.get("TRUSTVQA_OHIF", "/nowhere"))
SHOTS = os.environ.get("TRUSTVQA_SCREENSHOTS")

pytestmark = pytest.mark.skipif(
    not (DIST / "index.html").exists(), reason="TRUSTVQA_OHIF names no folder of OHIF's files (make test-viewer)"
)


def configuration(root: str) -> str:
    source = {
        "friendlyName": "Orthanc",
        "qidoRoot": f"{root}/dicom-web",
        "wadoRoot": f"{root}/dicom-web",
        "qidoSupportsIncludeField": False,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "supportsFuzzyMatching": False,
        "supportsWildcard": True,
        "omitQuotationForMultipartRequest": True,
        "bulkDataURI": {"enabled": True},
    }
    config = {
        "routerBasename": "/",
        "extensions": [],
        "modes": [],
        "showStudyList": True,
        "investigationalUseDialog": {"option": "never"},
        "defaultDataSourceName": "dicomweb",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "dicomweb",
                "configuration": source,
            }
        ],
    }
    return f"window.config = {json.dumps(config)};"


@contextmanager
def viewer(archive: str) -> Iterator[str]:
    """OHIF's files and the archive at one address, as browsers want it."""

    async def asked(request: Request) -> Response:
        path = request.url.path
        if path == "/app-config.js":
            return Response(configuration(str(request.base_url).rstrip("/")), media_type="text/javascript")
        if path.startswith("/dicom-web/"):
            accept = {"Accept": request.headers.get("accept", "*/*")}
            async with httpx.AsyncClient() as http:
                url = archive + path.removeprefix("/dicom-web")
                found = await http.get(url, params=request.query_params, headers=accept, timeout=30)
            return Response(found.content, found.status_code, media_type=found.headers.get("content-type"))
        file = DIST / path.lstrip("/")
        return FileResponse(file if file.is_file() else DIST / "index.html")

    with running(Starlette(routes=[Route("/{path:path}", asked)])) as url:
        yield url


def test_a_report_is_listed_beside_its_slice(orthanc: Orthanc, gateway_url: str) -> None:
    [file] = slices(1)
    orthanc.store(file)
    rule = RULE_OF["CT"]
    fields = {"question": rule["question"], "options": json.dumps(rule["options"]), "method": "verbalized"}
    given = {"image": ("slice.dcm", file, "application/dicom")}
    accept = {"Accept": "application/dicom"}
    reply = httpx.post(f"{gateway_url}/vqa", data=fields, files=given, headers=accept, timeout=60)
    assert reply.status_code == 200, reply.text
    report = dcmread(BytesIO(reply.content))
    store_report(Archive(orthanc.url), report)
    with viewer(orthanc.url) as url, chromium(whole=True) as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(f"{url}/viewer?StudyInstanceUIDs={report.StudyInstanceUID}")
        try:
            series = page.get_by_text(str(report.SeriesDescription), exact=True).first
            expect(series).to_be_visible(timeout=90_000)
            page.get_by_text("Skip all", exact=True).click(timeout=60_000)
            # The slice is drawn, so that what is listed is not all that works.
            expect(page.get_by_text("1/1", exact=True)).to_be_visible()
        finally:
            if SHOTS:
                page.screenshot(path=f"{SHOTS}/viewer.png")
                Path(SHOTS, "viewer.txt").write_text(page.inner_text("body"))
