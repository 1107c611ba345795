"""The options that say which part of a DICOM object is asked about: its frame and its window of grey."""

from __future__ import annotations

import re
from typing import Annotated, Final

import typer

from trustvqa.client.questions import Window

_NUMBER: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_CENTRE_AND_WIDTH: Final = re.compile(rf"\s*({_NUMBER})\s*,\s*({_NUMBER})\s*")

Frame = Annotated[int | None, typer.Option(min=1, help="Frame of a DICOM object, from 1; by default the middle one.")]
WindowText = Annotated[
    str | None,
    typer.Option(
        "--window",
        help="Window of grey of a DICOM object: the name of one of its own, or CENTRE,WIDTH in its own units, such as "
        "40,400; by default its first.",
    ),
]


def window_of(text: str | None) -> Window | None:
    """Read what `--window` says.

    Example:
        >>> window_of("-600,1500"), window_of("BONE"), window_of(None)
        ((-600.0, 1500.0), 'BONE', None)
    """
    found = None if text is None else _CENTRE_AND_WIDTH.fullmatch(text)
    return (float(found[1]), float(found[2])) if found else text
