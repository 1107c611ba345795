"""Segments are found whatever fills the places between them, and nothing is made up."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from prompt4trust.pictures.jpeg.segments import END_OF_IMAGE, START_OF_SCAN, segments_of, size_of


def jpeg(size: tuple[int, int] = (37, 21), *, progressive: bool = False) -> bytes:
    buffer = BytesIO()
    Image.radial_gradient("L").resize(size).save(buffer, "JPEG", progressive=progressive)
    return buffer.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
def test_segments_cover_a_file_but_its_coded_data(progressive: bool) -> None:
    data = jpeg(progressive=progressive)
    segments = list(segments_of(data))
    assert [each.gap for each in segments] == [0] * len(segments)
    assert (segments[-1].marker, segments[-1].end) == (END_OF_IMAGE, len(data))
    scans = [each for each in segments if each.marker == START_OF_SCAN]
    assert len(scans) == len(re.findall(rb"\xff\xda", data)) == (1 if not progressive else len(scans))
    at = 2
    for before, each in zip([None, *segments], segments, strict=False):
        assert each.start == at or (before is not None and before.marker == START_OF_SCAN and each.start > at)
        at = each.end


@given(width=st.integers(1, 300), height=st.integers(1, 300), filling=st.integers(0, 20))
def test_the_size_is_found_behind_filling(width: int, height: int, filling: int) -> None:
    data = jpeg((width, height))
    # Filling before the first segment, and before the frame header.
    filled = re.sub(rb"\xff\xc0\x00\x0b\x08", b"\xff" * filling + rb"\g<0>", data, count=1)
    assert size_of(b"\xff\xd8" + b"\xff" * filling + filled[2:], 1_000) == (width, height)


@given(st.binary(max_size=300))
def test_any_bytes_are_gone_over_once(data: bytes) -> None:
    at = 2
    for each in segments_of(b"\xff\xd8" + data):
        assert each.start >= at
        assert each.gap >= 0
        at = max(at, each.start + 1)


@pytest.mark.parametrize(
    ("long", "found"),
    [
        (b"\xff" * 3_000_000 + b"\0", 0),
        (b"\xff\xff\0" * 1_000_000 + b"\xff\xd9", 1),
        (b"\xff\0" * 1_000_000, 0),
        (b"a" * 3_000_000, 0),
    ],
)
def test_long_runs_are_gone_through_once(long: bytes, found: int) -> None:
    # Twice over each byte would be seconds here, and each from each would be hours.
    assert sum(1 for _ in segments_of(b"\xff\xd8" + long)) == found


def test_no_size_is_made_up() -> None:
    data = jpeg()
    assert size_of(data.replace(b"\xff\xc0", b"\xff\xe7"), 1_000) is None
    assert size_of(data, 2) is None
    assert size_of(b"\xff\xd8", 1_000) is None
