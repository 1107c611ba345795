"""An archive: QIDO-RS to find, WADO-RS to fetch, STOW-RS to store."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import requests
from dicomweb_client import DICOMwebClient
from requests.auth import AuthBase, HTTPBasicAuth

from services.common.pacs.bounded_session import BoundedSession
from services.common.pacs.errors import ArchiveAwayError, ArchiveRefusedError

if TYPE_CHECKING:
    from pydicom import Dataset

DEADLINE_S: Final = 30.0
MAX_BYTES: Final = 200_000_000
# The library tells of every request, with identifiers in its address.
logging.getLogger("dicomweb_client").setLevel(logging.WARNING)
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class InstanceReference:
    """A DICOM instance, by its identifiers."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class PacsCredentials:
    """Credentials for an archive: a token, or a user with a password, or nothing.

    Attributes:
        token: A bearer token.
        user: Name of a user.
        password: The user's password.
    """

    token: str | None = None
    user: str | None = None
    password: str | None = None

    def auth(self) -> AuthBase | None:
        """Make what requests takes."""
        if self.token is not None:
            return _Bearer(self.token)
        return None if self.user is None else HTTPBasicAuth(self.user.encode(), (self.password or "").encode())


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Archive:
    """An archive that speaks DICOMweb; its methods block, each for no longer than the deadline.

    Args:
        url: Its DICOMweb root, such as http://pacs:8042/dicom-web.
        credentials: What it is shown.
        deadline_s: Longest time for a reply, in seconds.
        max_bytes: Largest reply.

    Example:
        >>> archive = Archive("http://127.0.0.1:8042/dicom-web")
    """

    def __init__(
        self,
        url: str,
        credentials: PacsCredentials = PacsCredentials(),
        *,
        deadline_s: float = DEADLINE_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        session = BoundedSession(deadline_s, max_bytes)
        session.auth = credentials.auth()
        self._client = DICOMwebClient(url, session=session)
        # Whoever asks knows better when to ask again.
        self._client.set_http_retry_params(retry=False)

    def find(self, filters: Mapping[str, str], fields: list[str], *, limit: int, offset: int = 0) -> list[Dataset]:
        """Find instances by QIDO-RS.

        Args:
            filters: Keyword of an attribute -> what it must be.
            fields: Keywords of attributes that are wanted beside.
            limit: Most instances.
            offset: Instances that are left out before.

        Returns:
            Data sets with the attributes that the archive gives.

        Raises:
            PacsError: If the archive does not answer.
        """
        with _told():
            found = self._client.search_for_instances(
                search_filters=dict(filters), fields=fields, limit=limit, offset=offset
            )
            return [_read(each) for each in found]

    def metadata(self, instance: InstanceReference) -> Dataset:
        """Fetch an instance's attributes, without pixels, by WADO-RS.

        Raises:
            PacsError: If the archive does not answer, or has no such instance.
        """
        uids = (instance.study_uid, instance.series_uid, instance.sop_instance_uid)
        with _told():
            return _read(self._client.retrieve_instance_metadata(*uids))

    def fetch(self, instance: InstanceReference) -> bytes:
        """Fetch an instance as a DICOM file, as it is stored, by WADO-RS.

        Raises:
            PacsError: If the archive does not answer, or has no such instance.
        """
        uids = (instance.study_uid, instance.series_uid, instance.sop_instance_uid)
        with _told():
            dataset = self._client.retrieve_instance(*uids, media_types=(("application/dicom", "*"),))
            buffer = BytesIO()
            dataset.save_as(buffer, enforce_file_format=True)
            return buffer.getvalue()

    def store(self, dataset: Dataset) -> None:
        """Store an object by STOW-RS.

        Raises:
            PacsError: If the archive does not answer, or does not take it.
        """
        with _told():
            done = self._client.store_instances([dataset])
        if done.get("FailedSOPSequence"):
            reason = done.FailedSOPSequence[0].get("FailureReason")
            raise ArchiveRefusedError(f"the archive does not take the object (failure reason {reason})")


def _read(found: Mapping[str, Any]) -> Dataset:
    from pydicom import Dataset

    # Bulk data stay where they are.
    return Dataset.from_json(dict(found), bulk_data_uri_handler=lambda *_: None)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the library raises into errors of an archive; its messages may quote attributes."""
    try:
        yield
    except requests.HTTPError as error:
        status = 0 if error.response is None else error.response.status_code
        kind = ArchiveAwayError if status in _LATER else ArchiveRefusedError
        raise kind(f"the archive replied with status {status}") from None
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        raise ArchiveRefusedError(f"the archive's reply cannot be read ({type(error).__name__})") from None
