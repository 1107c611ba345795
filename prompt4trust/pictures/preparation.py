"""The preparation of pictures as a value that evidence can be keyed by."""

from __future__ import annotations

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field

from prompt4trust.pictures.limits import PictureLimits

PREPARATION_VERSION: Final = 2
"""Version of what becomes of a file's pixels; raised whenever any file is read as other pixels than before. Evidence of
another version fits no answer: the shipped one is then made again (see docs/shipped-evidence.md)."""


class PicturePreparation(BaseModel):
    """All that decides which pixels a model sees of a picture file.

    Attributes:
        version: The way of reading files; see `PREPARATION_VERSION`.
        max_side: Longest side in pixels; a larger picture is made smaller.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1)
    max_side: int = Field(ge=1)

    @classmethod
    def of(cls, limits: PictureLimits) -> Self:
        """Describe this software's preparation within limits: the others refuse pictures and change none.

        Example:
            >>> PicturePreparation.of(PictureLimits(max_side=512)).max_side
            512
        """
        return cls(version=PREPARATION_VERSION, max_side=limits.max_side)

    @property
    def line(self) -> str:
        """The preparation in words; no two have the same."""
        return f"pictures {self.version}, up to {self.max_side} px"
