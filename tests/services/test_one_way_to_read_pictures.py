"""A picture file is the same picture for everybody who shows it to a model, or is refused by all of them.

The ways: a client's file at the gateway, a data set's file in an evaluation, one in training, and a file that a client
sends straight to the embedded engine.
"""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prompt4trust.errors import PictureError, TransportError
from prompt4trust.evaluation import run as evaluation
from prompt4trust.pictures import PictureLimits, PreparedPicture, decode_picture, prepare_picture
from services.common.engine.errors import InvalidRequestError
from services.common.engine.vision.picture_decoding import EncodedPictureLimits, decode_request_picture
from services.gateway.intake.intake import prepared_picture
from services.gateway.intake.picture_task import arguments, prepare_and_describe
from services.gateway.settings import GatewaySettings
from services.trainer.grpo import scoring
from tests.prompt4trust.pictures.files import FileCase, Values, file_cases


def at_the_gateway(content: bytes) -> PreparedPicture:
    found, file, _ = prepare_and_describe(content, arguments(GatewaySettings().image_limits, None, None, ()))
    return prepared_picture(json.loads(json.dumps(found)), file)


def in_the_engine(source: bytes | str) -> Values:
    return np.asarray(decode_request_picture(source, EncodedPictureLimits()))


def shown(url: str) -> Values:
    """The pixels that a model sees of a data: URL."""
    with Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


def test_the_table_has_sixty_files_and_no_two_alike() -> None:
    cases = file_cases()
    assert len(cases) >= 60
    assert len({case.name for case in cases}) == len(cases)


@pytest.mark.filterwarnings("ignore")  # a decoder's warning is a line in the log
@pytest.mark.parametrize("case", file_cases(), ids=lambda case: case.name)
def test_a_file_is_the_same_picture_on_all_ways_or_refused_on_all(tmp_path: Path, case: FileCase) -> None:
    content = case.content()
    path = tmp_path / "picture"
    path.write_bytes(content)
    if case.becomes not in ("L", "RGB"):
        with pytest.raises(PictureError) as refused:
            at_the_gateway(content)
        assert refused.value.fault == case.becomes
        for read in (vars(evaluation)["data_url"], vars(scoring)["data_url"]):
            with pytest.raises(TransportError, match=case.becomes):
                read(path)
        with pytest.raises(InvalidRequestError) as told:
            in_the_engine(content)
        assert str(told.value) == refused.value.detail
        return
    picture = at_the_gateway(content)
    assert decode_picture(content, PictureLimits()).pixels.mode == case.becomes
    assert picture.media_type == ("image/jpeg" if case.form in ("JPEG", "MPO") else "image/png")
    # Byte for byte what is sent to a model, and pixel for pixel what the engine makes of the file itself.
    for read in (vars(evaluation)["data_url"], vars(scoring)["data_url"]):
        assert read(path) == picture.data_url
    assert np.array_equal(in_the_engine(content), shown(picture.data_url))
    assert np.array_equal(in_the_engine(picture.data_url), shown(picture.data_url))
    # What was prepared is prepared: whoever reads it anew has the same file.
    assert prepare_picture(picture.file).file == picture.file


def test_windows_leave_out_what_lies_apart_and_say_so() -> None:
    by_name = {case.name: case for case in file_cases()}
    for name, window in (
        ("PNG-twelve-bit", (0.0, 4095.0)),
        ("PNG-hot-pixel", (0.0, 4095.0)),
        ("PNG-sixteen-bit", (0.0, 65535.0)),
    ):
        picture = at_the_gateway(by_name[name].content())
        assert picture.origin.window is not None
        assert np.allclose(picture.origin.window, window, atol=0.02 * window[1])
        assert shown(picture.data_url).std() > 40  # the picture can be seen
    padded = at_the_gateway(by_name["PNG-padded"].content())
    assert padded.origin.window is not None
    assert 20_000 <= padded.origin.window[0] < padded.origin.window[1] <= 24_095
    assert at_the_gateway(by_name["PNG-grey"].content()).origin.window is None


def test_the_scale_is_that_of_the_file() -> None:
    large = next(case for case in file_cases() if case.pixels == "large")
    picture = at_the_gateway(large.content())
    assert (picture.width, picture.height, picture.origin.size) == (1024, 768, (2400, 1800))
    assert picture.origin.scale == pytest.approx(1024 / 2400)
