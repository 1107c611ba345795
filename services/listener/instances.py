"""Instances and what is known of them: from the archive where it holds them, else as they were sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.common.pacs.archive import Archive, InstanceReference
from services.common.pacs.errors import MisfitError
from services.listener.receiving.reception import Reception

if TYPE_CHECKING:
    from pydicom import Dataset

_UIDS: Final = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]


@dataclass(frozen=True, slots=True)
class Instances:
    """Gives instances, each from one place.

    Whoever may send objects could send other pixels or another patient under the identifier of an instance that the
    archive holds. What the archive holds goes before what was sent, and where the two are not of one patient and study
    the question is given up.

    Attributes:
        archive: The archive.
        reception: Where objects that were sent are kept; None where none are received.
    """

    archive: Archive
    reception: Reception | None

    def file(self, instance: InstanceReference) -> bytes:
        """Give an instance as a DICOM file. Blocks.

        Raises:
            PacsError: If there is none, or the archive's and the one that was sent do not fit.
        """
        if self.reception is not None and self.sent_attributes(instance) is not None:
            received = self.reception.file_of(instance)
            if received is not None:
                return received
        return self.archive.fetch(instance)

    def sent_attributes(self, instance: InstanceReference) -> Dataset | None:
        """Give the attributes of an instance that was sent; None where the archive holds it, or must. Blocks.

        Raises:
            PacsError: If the archive does not answer, or its instance and the one that was sent do not fit.
        """
        sent = None if self.reception is None else self.reception.source_of(instance)
        if sent is None:
            return None
        held = self.archive.find({"SOPInstanceUID": instance.sop_instance_uid}, _UIDS, limit=2)
        for each in held:
            if each.get("StudyInstanceUID") != sent.get("StudyInstanceUID"):
                raise MisfitError("the archive's instance is of another study than the one that was sent")
            known = self.archive.metadata(InstanceReference(*(str(each.get(name) or "") for name in _UIDS)))
            if _patient(known) != _patient(sent):
                raise MisfitError("the archive's instance is of another patient than the one that was sent")
        return None if held else sent


def _patient(found: Dataset) -> str:
    return str(found.get("PatientID") or "").strip()
