"""Pictures as data: URLs (RFC 2397)."""

from __future__ import annotations

import re
from typing import Final, Self

import pybase64

_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+")


class DataUrl(str):
    r"""A picture as a data: URL: ASCII in which JSON escapes nothing, so that who writes JSON need not look through it.

    Example:
        >>> DataUrl.of("image/png", b"\x89PNG")
        'data:image/png;base64,iVBORw=='
    """

    __slots__ = ()

    @classmethod
    def of(cls, media_type: str, file: bytes) -> Self:
        """Make the URL of a file.

        Args:
            media_type: Its type.
            file: Its bytes.

        Raises:
            ValueError: If the type is none.
        """
        if _MEDIA_TYPE.fullmatch(media_type) is None:
            raise ValueError(f"{media_type!r} is no media type")
        return cls(f"data:{media_type};base64,{pybase64.b64encode_as_string(file)}")
