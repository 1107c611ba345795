"""The Basic Application Confidentiality Profile (PS3.15, Table E.1-1): what is done with which attribute."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Final

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

EDITION: Final = "2026c"
"""Edition of the standard whose table is used."""
_EXACT: Final = 2


class ProfileAction(Enum):
    """An action of the profile.

    Where the table leaves the choice to what an object's class requires (X/Z, X/D, Z/D), the one is taken that leaves
    an object of any class valid: empty before removed, a dummy before both.
    """

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    UID = "U"


_OF_LIST: Final = {
    "X_TAGS": ProfileAction.REMOVE,
    "Z_TAGS": ProfileAction.EMPTY,
    "X_Z_TAGS": ProfileAction.EMPTY,
    "D_TAGS": ProfileAction.DUMMY,
    "Z_D_TAGS": ProfileAction.DUMMY,
    "X_D_TAGS": ProfileAction.DUMMY,
    "X_Z_D_TAGS": ProfileAction.DUMMY,
    "U_TAGS": ProfileAction.UID,
    # Sequences of references: they stay, with the identifiers in them replaced.
    "X_Z_U_STAR_TAGS": ProfileAction.UID,
}


@cache
def profile_actions() -> dict[int, ProfileAction]:
    """List the attributes of the table, by their tags; curves and overlays, which are ranges of tags, are not in it.

    Example:
        >>> profile_actions()[0x0010_0010].name, profile_actions()[0x0020_000D].name
        ('EMPTY', 'UID')
    """
    lists = dicom_anonymization_database_selector(f"dicomfields_{EDITION}")
    return {
        tag[0] << 16 | tag[1]: action for name, action in _OF_LIST.items() for tag in lists[name] if len(tag) == _EXACT
    }
