"""Questions about pictures, as the client takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from trustvqa.client.errors import ClientError
from trustvqa.client.pictures import Picture

Window: TypeAlias = str | tuple[float, float]
"""The name of a DICOM object's own window, or centre and width."""


@dataclass(frozen=True, slots=True)
class VqaQuestion:
    """A question about a picture.

    Attributes:
        picture: A path, the bytes or an open file of a picture, a numpy array, a PIL image or a pydicom dataset.
        question: The question, 1 to 4 000 characters.
        options: 2 to 26 texts, or letter -> text; [] for an open question. None leaves it to the question's text: lines
            such as "A: Left" are its options, else it is open.
        id: Its name within a batch, 1 to 200 printable characters; by default its number.
        method: How the confidence is obtained; by default the gateway's own.
        max_risk: Largest accepted share of errors among the answers given, in [0, 1]; by default the gateway's own.
        coverage: Rate at which the option set is to hold the right option, in (0, 1); by default the gateway's own.
        groups: What is known of the question, such as {"modality": "CT"}.
        frame: The frame of a DICOM object, from 1; by default the middle one.
        window: The window of grey of a DICOM object: the name of one of its own, or centre and width in its own units
            (Hounsfield units of a CT); by default its first.
    """

    picture: Picture
    question: str
    options: Sequence[str] | Mapping[str, str] | None = None
    id: str | None = None
    method: str | None = None
    max_risk: float | None = None
    coverage: float | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    frame: int | None = None
    window: Window | None = None

    def __post_init__(self) -> None:
        """Refuse a text for the options: its letters would be taken for them.

        Raises:
            TypeError: If the options are one text, or have no order.
        """
        if isinstance(self.options, set | frozenset):
            raise TypeError("options are a list of texts, or letter -> text: a set has no order to letter them in")
        if isinstance(self.options, str | bytes | bytearray):
            raise TypeError(f"options are a list of texts, or letter -> text, not one {type(self.options).__name__}")

    def fields(self) -> dict[str, Any]:
        """Give the fields of a request beside the picture; what is not said is left to the gateway."""
        options = dict(self.options) if isinstance(self.options, Mapping) else list(self.options or ())
        asked = {"question": self.question} if self.options is None else {"question": self.question, "options": options}
        named = {
            "groups": dict(self.groups) or None,
            "method": self.method,
            "max_risk": self.max_risk,
            "coverage": self.coverage,
            "frame": self.frame,
            "window": self._window(),
        }
        return asked | {name: value for name, value in named.items() if value is not None}

    def sendable_fields(self) -> dict[str, Any]:
        """Give these fields once it is known that they can be sent as they are.

        Raises:
            ClientError: If a text holds halves of surrogate pairs, as bytes of a command line do that are no text.
        """
        found = self.fields()
        try:
            _encode(found)
        except UnicodeEncodeError:
            raise ClientError("the question holds bytes that are no text") from None
        return found

    def form(self) -> dict[str, str | list[str]]:
        """Give these fields as a form has them: texts, and objects as their JSON.

        Raises:
            ClientError: See `sendable_fields`.
        """
        return {name: _as_text(value) for name, value in self.sendable_fields().items()}

    def _window(self) -> Any:
        if self.window is None or isinstance(self.window, str):
            return self.window
        center, width = self.window
        return {"center": float(center), "width": float(width)}


def _as_text(value: Any) -> str | list[str]:
    if isinstance(value, str) or (isinstance(value, list) and len(value) > 1):
        return value
    # A field repeated no times would not be there, and one that is there once is no list to the gateway.
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _encode(value: Any) -> None:
    if isinstance(value, dict):
        _encode([*value, *value.values()])
    elif isinstance(value, list):
        for each in value:
            _encode(each)
    else:
        str(value).encode()
