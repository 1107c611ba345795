"""Objects that are well formed and yet no picture, or two pictures."""

from __future__ import annotations

import numpy as np
import pytest

from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, decode_picture
from tests.prompt4trust.pictures.dicom.objects import with_pixels, written

LIMITS = PictureLimits(takes_burned_in=True)
RAMP = np.arange(32 * 32, dtype=np.int16).reshape(32, 32)


def refusal_of(data: bytes) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decode_picture(data, LIMITS)
    return caught.value


@pytest.mark.parametrize(
    ("sop_class", "name"),
    [
        ("1.2.840.10008.5.1.4.1.1.66.4", "Segmentation Storage"),
        ("1.2.840.10008.5.1.4.1.1.66.7", "segmentation"),
        ("1.2.840.10008.5.1.4.1.1.481.2", "RT Dose Storage"),
    ],
)
def test_what_lies_over_a_picture_is_none(sop_class: str, name: str) -> None:
    dataset = with_pixels((RAMP > 500).astype(np.uint8), SOPClassUID=sop_class)
    refused = refusal_of(written(dataset))
    assert (refused.fault, name.casefold() in refused.detail.casefold()) == ("not-a-picture", True)


@pytest.mark.parametrize(
    ("kind", "shape", "is_read"),
    [
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", True),
        ("MONOCHROME1", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", False),
    ],
)
def test_grey_of_which_two_things_are_said_is_refused(kind: str, shape: str, is_read: bool) -> None:
    dataset = with_pixels(RAMP, PhotometricInterpretation=kind, PresentationLUTShape=shape)
    if is_read:
        shades = np.asarray(decode_picture(written(dataset), LIMITS).pixels).ravel()
        assert bool(shades[0] > shades[-1]) == (kind == "MONOCHROME1")
    else:
        refused = refusal_of(written(dataset))
        assert (refused.fault, "contradicts itself" in refused.detail) == ("damaged-image", True)
