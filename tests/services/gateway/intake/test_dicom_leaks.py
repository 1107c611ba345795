"""Nothing that a DICOM object says about a patient goes further than the process that decodes it.

Names, numbers and places are planted in an object, in every way that they come: standard and private elements,
sequences, the file's name, and the text of an object that cannot be read. Then all that leaves or stays is searched.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from pydicom import Dataset
from pydicom.sequence import Sequence

from services.common.logs import NOISY
from services.common.registry.directory import Registry
from tests.prompt4trust.pictures.dicom.objects import ct, written
from tests.services.gateway.batches.streams import line, send
from tests.services.gateway.chat.chats import chat_body, messages
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import OPTIONS, MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.servers import running

MARK = "PLANTEDQX"
PLANTED = {
    "PatientName": f"{MARK}^Name",
    "PatientID": f"{MARK}-ID",
    "PatientBirthDate": "19010203",
    "AccessionNumber": f"{MARK}ACC",
    "InstitutionName": f"{MARK} Hospital",
    "InstitutionAddress": f"{MARK} Street",
    "ReferringPhysicianName": f"{MARK}^Physician",
    "OtherPatientIDs": f"{MARK}-OTHER",
    "StudyDescription": f"{MARK} study",
    "SeriesDescription": f"{MARK} series",
    "ImageComments": f"{MARK} comment",
}
SOUGHT = (MARK.encode(), MARK.lower().encode(), b"19010203", base64.b64encode(MARK.encode())[:11])


def planted(**changes: Any) -> Dataset:
    dataset = ct(**PLANTED, **changes)
    dataset.private_block(0x0011, f"{MARK} MAKER", create=True).add_new(1, "LO", f"{MARK} private")
    item = Dataset()
    item.PatientName = f"{MARK}^Nested"
    item.RequestedProcedureDescription = f"{MARK} nested"
    dataset.RequestAttributesSequence = Sequence([item])
    return dataset


def faulty() -> list[bytes]:
    """Objects that cannot be read, with the planted words where their errors would quote them."""
    bad = written(planted())
    number = bad.replace(b"\x28\0\x02\0US\x02\0\x01\0", b"\x28\0\x02\0LO\x0a\0" + MARK.encode() + b" ", 1)
    deep = written(planted()).replace(b"\x28\0\x52\x10DS", b"\x28\0\x52\x10LO", 1)
    frames = written(planted(NumberOfFrames=7))
    photometric = written(planted(PhotometricInterpretation=MARK))
    modality = written(planted(Modality=MARK, BodyPartExamined=MARK, StudyInstanceUID=MARK))
    cut = written(planted())[:3_000]
    return [number, deep, frames, photometric, modality, cut, written(planted(RescaleSlope="0"))]


def archive(contents: list[bytes]) -> FastAPI:
    """A DICOMweb service that gives each of the contents in turn, whatever instance it is asked for."""
    app = FastAPI()
    left = iter(contents)

    @app.get("/dicom-web/studies/{study}/series/{series}/instances/{instance}")
    def retrieve() -> Response:
        content = (
            f'--seam\r\nContent-Type: application/dicom\r\nContent-Disposition: filename="{MARK}"\r\n\r\n'.encode()
            + next(left)
            + b"\r\n--seam--\r\n"
        )
        kind = 'multipart/related; type="application/dicom"; boundary=seam'
        return Response(content, headers={"Content-Type": kind, "X-Patient": MARK})

    @app.get("/dicom-web/{path:path}")
    def others() -> Response:
        return Response(f"{MARK} was not found", status_code=500)

    return app


@pytest.fixture
def everything_is_logged() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    # As services do at every level.
    before = {name: logging.getLogger(name).level for name in NOISY}
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    yield
    root.setLevel(level)
    for name, its_level in before.items():
        logging.getLogger(name).setLevel(its_level)


@pytest.mark.usefixtures("everything_is_logged")
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_what_is_planted_is_found_nowhere(
    make_gateway: MakeGateway,
    upstream: Upstream,
    registry: Registry,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = written(planted())
    assert MARK.encode() in data
    broken = faulty()
    # Whoever writes objects is warned of them, by pydicom: that is this test.
    caplog.clear()
    capfd.readouterr()
    text = base64.b64encode(data).decode()
    heard: list[httpx.Response] = []
    records = f"sqlite:///{tmp_path}/records.db"
    source = ct()
    path = f"/studies/{source.StudyInstanceUID}/series/{source.SeriesInstanceUID}/instances/{source.SOPInstanceUID}"
    with (
        running(archive([data, data, *broken])) as pacs,
        make_gateway(
            archives={f"{pacs}/dicom-web", f"{pacs}/dicom-web/wado"},
            records_url=records,
            record_texts=True,
            record_pictures=True,
            log_level="debug",
        ) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):

        def by_form(content: bytes) -> httpx.Response:
            fields = {"question": "Which shape?", "options": json.dumps(OPTIONS)}
            return client.post("/vqa", data=fields, files={"image": (f"{MARK}.dcm", content, "application/dicom")})

        heard.append(by_form(data))
        heard.append(client.post("/vqa", json=body(image=text)))
        heard.append(client.post("/vqa", json=body(image="data:application/dicom;base64," + text)))
        heard.append(client.post("/v1/picture?grey=true", content=data))
        url_of = "data:application/dicom;base64," + text
        heard.append(client.post("/v1/chat/completions", json=chat_body(messages=messages(url=url_of))))
        assert [reply.status_code for reply in heard] == [200] * len(heard)
        replies, _ = send(client, [line("one", image=text)])
        assert replies["one"]["status"] == 200
        by_address = [client.post("/vqa", json=body(image=f"{pacs}/dicom-web{path}")) for _ in range(2 + len(broken))]
        assert [reply.status_code for reply in by_address[:2]] == [200, 200]
        assert {reply.status_code for reply in by_address[2:]} <= {200, 415, 422, 502}
        assert sum(reply.status_code != 200 for reply in by_address[2:]) >= 5
        uids = f"studyUID={source.StudyInstanceUID}&seriesUID={source.SeriesInstanceUID}&objectUID=1.2"
        failed = client.post("/vqa", json=body(image=f"{pacs}/dicom-web/wado?requestType=WADO&{uids}"))
        assert failed.json()["type"].endswith(":archive-failed")
        heard += [*by_address, failed]
        refused = [by_form(content) for content in broken]
        assert {reply.status_code for reply in refused} <= {200, 415, 422}
        assert sum(reply.status_code != 200 for reply in refused) >= 5
        heard += refused
        heard.append(client.get("/metrics"))
        answer = heard[0].json()["id"]
        heard.append(client.get(f"/v1/records/{answer}"))
    said = capfd.readouterr()
    found = {
        "replies": [reply.content + repr(reply.headers).encode() for reply in heard],
        "batch": [json.dumps(replies).encode()],
        "the model": [json.dumps(upstream.asked).encode(), repr(upstream.headers).encode()],
        "the policy": [json.dumps(upstream.guided).encode()],
        "the pictures that the model was sent": [
            base64.b64decode(part["image_url"]["url"].partition(",")[2])
            for asked in upstream.asked
            for part in asked["messages"][-1]["content"]
            if part["type"] == "image_url"
        ],
        "output": [said.out.encode(), said.err.encode(), caplog.text.encode()],
        "files": [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()],
        "the registry": [path.read_bytes() for path in registry.root.rglob("*") if path.is_file()],
    }
    assert len(found["the pictures that the model was sent"]) >= 5
    assert len(found["files"]) >= 1
    assert len(said.out) + len(caplog.text) > 500  # something is logged, so that the search is one
    leaks = [
        (place, word, one[max(0, one.index(word) - 200) :][:300])
        for place, texts in found.items()
        for one in texts
        for word in SOUGHT
        if word in one
    ]
    assert leaks == []
