"""Pictures as text: what is base64 for Python's own readers is so here, to the same bytes."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.errors import PictureError
from prompt4trust.pictures import DataUrl, decode_base64, decode_base64_picture


@given(st.text(st.sampled_from("ABab09+/-_= \n\r\x00é."), max_size=16))
def test_base64_is_read_as_python_reads_it(text: str) -> None:
    try:
        expected: bytes | None = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        expected = _as_clients_write_it(text)
    try:
        found: bytes | None = decode_base64(text)
    except PictureError:
        found = None
    assert found == expected


def _as_clients_write_it(text: str) -> bytes | None:
    """URL-safe, in lines, without padding."""
    compact = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode((compact + "=" * (-len(compact) % 4)).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None


@given(st.binary(max_size=40))
def test_a_data_url_holds_the_file(file: bytes) -> None:
    url = DataUrl.of("image/png", file)
    assert url == "data:image/png;base64," + base64.b64encode(file).decode()
    assert decode_base64_picture(url, needs_data_url=True) == (file, "image/png")


@pytest.mark.parametrize("media_type", ["", "image", 'image/"png', "image/png;base64,", "image/png\n", "image/\xe9"])
def test_a_data_url_has_a_media_type_that_json_need_not_escape(media_type: str) -> None:
    with pytest.raises(ValueError, match="no media type"):
        DataUrl.of(media_type, b"")
