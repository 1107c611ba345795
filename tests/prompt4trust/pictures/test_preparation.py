"""The preparation of pictures as a value: what it holds, and that it follows the software."""

from __future__ import annotations

import pytest

from prompt4trust.pictures import PREPARATION_VERSION, PictureLimits, PicturePreparation


def test_only_what_changes_pixels_is_part_of_it() -> None:
    usual = PicturePreparation.of(PictureLimits())
    assert usual == PicturePreparation(version=PREPARATION_VERSION, max_side=1024)
    assert usual == PicturePreparation.of(PictureLimits(max_pixels=100, min_side=1, max_aspect=2))
    assert usual != PicturePreparation.of(PictureLimits(max_side=1023))


def test_another_version_of_the_software_prepares_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    before = PicturePreparation.of(PictureLimits())
    monkeypatch.setattr("prompt4trust.pictures.preparation.PREPARATION_VERSION", PREPARATION_VERSION + 1)
    assert PicturePreparation.of(PictureLimits()) != before
