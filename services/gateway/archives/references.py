"""References to DICOM objects in archives: WADO-RS and WADO-URI addresses, taken apart and made anew.

Nothing of an address that a client sent is asked for as it came: its beginning must be an archive's that the operator
named, and of the rest three UIDs are taken (PS3.18, 8.3 and 9.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

MAX_ADDRESS: Final = 1_000
_UID: Final = r"[0-9](?:[0-9.]{0,62}[0-9])?"
_RETRIEVED: Final = re.compile(rf"/studies/({_UID})/series/({_UID})/instances/({_UID})/?", re.ASCII)
_WHOLE_UID: Final = re.compile(_UID, re.ASCII)
_WADO_URI: Final = {"studyuid": 0, "seriesuid": 1, "objectuid": 2}


@dataclass(frozen=True, slots=True)
class ArchiveReference:
    """An instance in an archive.

    Attributes:
        url: Where it is asked for, made of the archive's address and its UIDs.
        sop_instance_uid: Its SOP Instance UID, which what comes must have.
    """

    url: str
    sop_instance_uid: str


def is_address(text: str) -> bool:
    """Whether a text is an http or https address rather than a picture."""
    return text[:8].lower().startswith(("http://", "https://"))


def reference_of(address: str, archives: Iterable[str]) -> ArchiveReference | None:
    """Find the instance that an address names.

    Args:
        address: What a client sent.
        archives: Beginnings of addresses that are allowed: a DICOMweb service's, or that of a WADO-URI service.

    Returns:
        The reference; None where the address is of no such archive, or names no instance.

    Example:
        >>> allowed = ["https://pacs.example/dicom-web"]
        >>> reference_of("https://pacs.example/dicom-web/studies/1.2/series/1.3/instances/1.4", allowed).url
        'https://pacs.example/dicom-web/studies/1.2/series/1.3/instances/1.4'
        >>> reference_of("https://pacs.example@evil.example/dicom-web/studies/1.2/series/1.3/instances/1.4", allowed)
    """
    if len(address) > MAX_ADDRESS or not address.isascii() or not address.isprintable():
        return None
    for archive in archives:
        base = archive.rstrip("/")
        if not address.startswith(base):
            continue
        rest = address[len(base) :]
        if found := _RETRIEVED.fullmatch(rest):
            return ArchiveReference(base + "/studies/{}/series/{}/instances/{}".format(*found.groups()), found[3])
        if rest.startswith("?") and (uids := _uids_of(rest)):
            asked = "?requestType=WADO&studyUID={}&seriesUID={}&objectUID={}&contentType=application%2Fdicom"
            return ArchiveReference(base + asked.format(*uids), uids[2])
    return None


def _uids_of(query: str) -> tuple[str, ...] | None:
    try:
        given = parse_qsl(urlsplit(query).query, max_num_fields=20)
    except ValueError:
        return None
    found = ["", "", ""]
    for name, value in given:
        place = _WADO_URI.get(name.lower())
        if place is not None:
            if found[place] or not _WHOLE_UID.fullmatch(value):
                return None
            found[place] = value
    return tuple(found) if all(found) else None
