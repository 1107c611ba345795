"""POST /v1/picture: what the models would see of a file, bounded and forgotten."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from prompt4trust.pictures import PictureLimits, prepare_picture
from tests.services.gateway.checks import assert_problem
from tests.services.gateway.conftest import MakeGateway, picture
from tests.services.gateway.upstream import Upstream
from tests.support.keys import bearer, keys_at

URL = "/v1/picture"


def deep_tiff(width: int = 64, height: int = 48, **options: object) -> bytes:
    values = np.arange(width * height, dtype=np.uint16).reshape(height, width)
    file = BytesIO()
    Image.fromarray(values).save(file, "TIFF", **options)
    return file.getvalue()


@pytest.mark.parametrize(("form", "kind"), [("PNG", "image/png"), ("TIFF", "image/tiff"), ("JPEG", "")])
def test_it_gives_the_very_file_that_the_models_get(client: httpx.Client, form: str, kind: str) -> None:
    data = picture(form=form, size=(1500, 900))
    reply = client.post(URL, content=data, headers={"Content-Type": kind} if kind else {})
    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "no-store"
    prepared = prepare_picture(data, PictureLimits())
    assert reply.json() == {
        "picture": {
            "source": {"format": form, "width": 1500, "height": 900},
            "width": 1024,
            "height": 614,
            "window": None,
            "scale": 0.6827,
            "dicom": None,
        },
        "sha256": prepared.sha256,
        "image": prepared.data_url,
        "grey": None,
    }


def test_deep_grey_comes_with_its_values_where_they_are_asked_for(client: httpx.Client, upstream: Upstream) -> None:
    data = deep_tiff()
    assert client.post(URL, content=data).json()["grey"] is None
    found = client.post(f"{URL}?grey=true", content=data).json()
    grey = found["grey"]
    values = np.frombuffer(base64.b64decode(grey.pop("values")), dtype="<u2").reshape(48, 64)
    assert grey == {"width": 64, "height": 48, "low": 0.0, "high": 3071.0, "inverted": False}
    wanted = np.arange(64 * 48).reshape(48, 64)
    np.testing.assert_allclose(values / 65535 * 3071, wanted, atol=0.03)
    assert found["picture"]["window"] == [3.0, 3068.0]
    assert upstream.asked == upstream.guided == []


def test_what_is_no_picture_or_too_much_of_one_is_refused(client: httpx.Client) -> None:
    assert_problem(client.post(URL, content=b""), 422, "empty-image")
    assert_problem(client.post(URL, content=b"%PDF-1.7"), 415, "unsupported-image")
    refused = client.post(URL, content=picture(), headers={"Content-Type": "image/jpeg"})
    assert_problem(refused, 415, "image-type-mismatch")
    assert_problem(client.post(URL, content=bytes(2_000_001)), 413, "image-file-too-large")
    assert_problem(client.post(f"{URL}?grey=perhaps", content=picture()), 422, "invalid-request")
    assert_problem(client.post(URL, content=picture(size=(9000, 8000))), 413, "image-too-large")


def test_it_takes_a_key_where_there_are_keys(make_gateway: MakeGateway, tmp_path: Path) -> None:
    keys = keys_at(tmp_path / "keys.json", ward="ask", scraper="metrics")
    with make_gateway(api_keys=tmp_path / "keys.json") as url, httpx.Client(base_url=url, timeout=20) as http:
        assert http.post(URL, content=picture()).status_code == 401
        assert http.post(URL, content=picture(), headers=bearer(keys["scraper"])).status_code == 403
        assert http.post(URL, content=picture(), headers=bearer(keys["ward"])).status_code == 200
