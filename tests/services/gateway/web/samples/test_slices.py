"""The page's samples of real slices: read out of pydicom, served in the place of the made-up ones."""

from __future__ import annotations

import io
import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image
from structlog.testing import capture_logs

from services.gateway.web.samples import slices as samples
from services.gateway.web.static_pages import FILES, add_page


def test_each_slice_is_a_picture_with_a_question() -> None:
    found = samples.slice_samples()
    shown = json.loads(found["samples.json"][0])
    assert [each["image"] for each in shown] == [each.image for each in samples.SLICES]
    for each in shown:
        content, media_type = found[each["image"]]
        with Image.open(io.BytesIO(content)) as picture:
            assert (media_type, picture.mode) == ("image/png", "L")
            assert len(set(picture.tobytes())) > 50  # a slice, not a blank
        assert each["question"].endswith("?")
        assert len(each["options"]) > 1


def test_they_are_served_in_the_place_of_the_made_up_ones() -> None:
    app, plain = FastAPI(), FastAPI()
    add_page(app, samples.slice_samples())
    add_page(plain)
    with TestClient(app) as client, TestClient(plain) as other:
        assert client.get(f"{FILES}/samples/samples.json").json()[0]["label"] == "CT, body part"
        assert other.get(f"{FILES}/samples/samples.json").json()[0]["label"] == "Ultrasound"
        picture = client.get(f"{FILES}/samples/CT_small.png")
        assert picture.headers["content-type"] == "image/png"
        assert picture.headers["x-content-type-options"] == "nosniff"
        assert client.get(f"{FILES}/page.css").status_code == 200
        assert other.get(f"{FILES}/samples/CT_small.png").status_code == 404


def test_a_slice_that_pydicom_no_longer_carries_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = samples.SliceSample("gone.dcm", "CT", "Which?", ("A", "B"))
    monkeypatch.setattr(samples, "SLICES", (gone, samples.SLICES[-1]))
    assert list(samples.slice_samples()) == ["samples.json", "CT_small.png"]


@pytest.mark.parametrize("content", [b"no picture", b""], ids=["no picture", "empty"])
def test_a_slice_that_cannot_be_decoded_is_left_out_and_logged(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, whole = samples.SLICES[0], samples.slice_file

    def read(sample: samples.SliceSample) -> bytes:
        return content if sample is broken else whole(sample)

    monkeypatch.setattr(samples, "slice_file", read)
    with capture_logs() as logs:
        found = samples.slice_samples()
    assert broken.image not in found
    assert [each["image"] for each in json.loads(found["samples.json"][0])] == [
        each.image for each in samples.SLICES if each is not broken
    ]
    assert [each["file"] for each in logs] == [broken.file]
