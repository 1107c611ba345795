"""DICOM objects at the gateway: by all ways that pictures come, any frame and window, and a reason for each refusal."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from prompt4trust.pictures import PictureLimits, prepare_picture
from tests.prompt4trust.pictures.dicom.objects import bundled, bundled_file, named, with_pixels, written
from tests.services.gateway.batches.streams import line, send
from tests.services.gateway.chat.chats import chat_body, messages
from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import OPTIONS, MakeGateway
from tests.services.gateway.upstream import Upstream
from trustvqa.client import Client, InvalidQuestionError, VqaQuestion

RAMP = np.arange(32 * 32, dtype=np.int16).reshape(32, 32)
TWO = written(
    with_pixels(
        np.stack([RAMP, RAMP[::-1], RAMP.T]),
        WindowCenter=["512", "100"],
        WindowWidth=["1024", "50"],
        WindowCenterWidthExplanation=["WIDE", "NARROW"],
    )
)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def as_form(data: bytes, name: str = "a.dcm", **fields: str) -> dict[str, Any]:
    return {
        "files": {"image": (name, data, "application/dicom")},
        "data": {"question": "Which shape?", "options": json.dumps(OPTIONS), **fields},
    }


def shown(upstream: Upstream) -> bytes:
    """The file that the model was sent last."""
    content = upstream.asked[-1]["messages"][-1]["content"]
    url = next(part["image_url"]["url"] for part in content if part["type"] == "image_url")
    return base64.b64decode(url.partition(",")[2])


# Of the directory's 81 slices, which differ in nothing that is read, a few.
FILES = [path for path in bundled() if "dicomdirtests" not in path.parts] + [
    path for path in bundled() if "dicomdirtests" in path.parts
][::12]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_each_file_is_answered_or_refused_for_a_reason(client: httpx.Client, path: Path) -> None:
    reply = client.post("/vqa", **as_form(path.read_bytes()))
    assert reply.status_code in (200, 415, 422), reply.text
    if reply.status_code == 200:
        seen = reply.json()["picture"]
        assert seen["source"]["format"] == "DICOM"
        assert seen["dicom"]["frames"] >= seen["dicom"]["frame"] >= 1
    else:
        kind = reply.json()["type"].rpartition(":")[2]
        assert kind in ("not-a-picture", "damaged-image", "image-too-small", "unsupported-image", "image-type-mismatch")
        assert_problem(reply, reply.status_code, kind)


def test_a_frame_and_a_window_are_asked_for_by_json_and_by_form(client: httpx.Client, upstream: Upstream) -> None:
    plain = client.post("/vqa", json=body(image=text(TWO))).json()["picture"]
    assert (plain["dicom"]["frame"], plain["dicom"]["frames"], plain["dicom"]["window_name"]) == (2, 3, "WIDE")
    assert (plain["window"], plain["dicom"]["window_from"]) == ([0.0, 1023.0], "file")
    assert shown(upstream) == prepare_picture(TWO, PictureLimits()).file
    for reply in (
        client.post("/vqa", json=body(image=text(TWO), frame=3, window="narrow")),
        client.post("/vqa", **as_form(TWO, frame="3", window="narrow")),
    ):
        dicom = reply.json()["picture"]["dicom"]
        assert (dicom["frame"], dicom["window_name"], dicom["window_from"]) == (3, "NARROW", "request")
    for reply in (
        client.post("/vqa", json=body(image=text(TWO), frame=1, window={"center": 100, "width": 200})),
        client.post("/vqa", **as_form(TWO, frame="1", window='{"center": 100, "width": 200}')),
    ):
        found = reply.json()["picture"]
        assert (found["window"], found["dicom"]["window_center"]) == ([0.0, 200.0], 100.0)
        with Image.open(BytesIO(shown(upstream))) as image:
            assert np.array_equal(np.asarray(image), np.rint(np.clip(RAMP / 200, 0, 1) * 255))


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"frame": 4}, "unknown-frame"),
        ({"frame": 0}, "invalid-request"),
        ({"frame": "2"}, "invalid-request"),
        ({"window": "liver"}, "unknown-window"),
        ({"window": ""}, "invalid-request"),
        ({"window": {"center": 1, "width": 0}}, "invalid-request"),
        ({"window": {"center": 1}}, "invalid-request"),
        ({"window": {"center": 1e12, "width": 1}}, "invalid-request"),
        ({"window": [40, 400]}, "invalid-request"),
    ],
)
def test_a_frame_or_window_that_there_is_not_is_refused(
    client: httpx.Client, fields: dict[str, Any], kind: str
) -> None:
    assert_problem(client.post("/vqa", json=body(image=text(TWO), **fields)), 422, kind)


def test_a_frame_of_what_is_no_dicom_object_is_refused(client: httpx.Client) -> None:
    assert_problem(client.post("/vqa", json=body(frame=1)), 422, "unknown-frame")
    assert_problem(client.post("/vqa", json=body(window="lung")), 422, "unknown-window")


def test_batches_and_chats_take_dicom_objects(client: httpx.Client, upstream: Upstream) -> None:
    replies, _ = send(client, [line("one", image=text(TWO), frame=3)])
    assert replies["one"]["reply"]["picture"]["dicom"]["frame"] == 3
    url = "data:application/dicom;base64," + text(TWO)
    reply = client.post("/v1/chat/completions", json=chat_body(messages=messages(url=url)))
    assert reply.status_code == 200, reply.text
    assert shown(upstream) == prepare_picture(TWO, PictureLimits()).file


def test_a_look_is_at_the_frame_and_window_that_are_asked_for(client: httpx.Client) -> None:
    reply = client.post("/v1/picture?grey=true&frame=1&center=100&width=200", content=TWO)
    assert reply.status_code == 200, reply.text
    found = reply.json()
    assert (found["picture"]["dicom"]["frame"], found["picture"]["window"]) == (1, [0.0, 200.0])
    assert (found["grey"]["low"], found["grey"]["high"]) == (0.0, 1023.0)
    assert client.post("/v1/picture?window=narrow", content=TWO).json()["picture"]["dicom"]["window_name"] == "NARROW"
    assert_problem(client.post("/v1/picture?center=100", content=TWO), 422, "invalid-request")
    assert_problem(client.post("/v1/picture?frame=9", content=TWO), 422, "unknown-frame")


def test_text_in_the_pixels_does_not_leave_for_a_hosted_model(make_gateway: MakeGateway, upstream: Upstream) -> None:
    hosted = "http://model.invalid/v1"
    us = bundled_file("examples_rgb_color.dcm").read_bytes()
    with make_gateway(downstream_url=hosted, downstream_attempts=1) as url, httpx.Client(base_url=url) as client:
        assert_problem(client.post("/vqa", **as_form(us)), 422, "burned-in-annotation")
        with Client(url) as asking:
            for given in (us, dcmread(BytesIO(us))):
                with pytest.raises(InvalidQuestionError) as refused:
                    asking.ask(given, "Which shape?", OPTIONS)
                assert refused.value.kind == "burned-in-annotation"
    with (
        make_gateway(downstream_url=hosted, downstream_attempts=1, burned_in_hosts={"model.invalid"}) as url,
        httpx.Client(base_url=url) as client,
    ):
        # It may be sent now as far as that goes; whether any picture may is another setting.
        assert_problem(client.post("/vqa", **as_form(us)), 503, "image-egress-off")


def test_the_client_asks_about_a_frame_and_a_window(gateway_url: str, upstream: Upstream) -> None:
    dataset = dcmread(BytesIO(TWO))
    with Client(gateway_url) as client:
        asked = VqaQuestion(dataset, "Which shape?", OPTIONS, frame=3, window="narrow")
        (of_batch,) = client.batch([asked])
        for result in (client.ask(TWO, "Which shape?", OPTIONS, frame=3, window="narrow"), of_batch.unwrap()):
            seen = result.raw["picture"]["dicom"]
            assert (seen["frame"], seen["frames"], seen["window_name"]) == (3, 3, "NARROW")
            assert seen["window_from"] == "request"
        seen = client.ask(dataset, "Which shape?", OPTIONS, window=(100, 200)).raw["picture"]["dicom"]
        assert (seen["frame"], seen["window_center"], seen["window_width"]) == (2, 100, 200)
        with pytest.raises(InvalidQuestionError) as refused:
            client.ask(TWO, "Which shape?", OPTIONS, frame=4)
    assert refused.value.kind == "unknown-frame"
