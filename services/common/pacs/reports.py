"""Storing a report: its patient and study are filled in from the instance that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.pacs.archive import Archive, InstanceReference
from services.common.pacs.patient_study import adopt_patient, referenced_instance

if TYPE_CHECKING:
    from pydicom import Dataset


def store_report(archive: Archive, report: Dataset, source: Dataset | None = None) -> None:
    """Store a report beside the instance that it is about.

    Patient and study come from the archive at this moment, or from the instance itself, and are kept nowhere else.
    Stored again it is the same object, of which an archive keeps one.

    Args:
        archive: The archive; without a source it holds the instance.
        report: The report, which is changed.
        source: Attributes of the instance that it is about, where they are known from the instance itself; None to
            ask the archive for them.

    Raises:
        PacsError: If the instance is not there, or the report is not taken.
    """
    if source is None:
        source = archive.metadata(InstanceReference(*referenced_instance(report)))
    adopt_patient(report, source)
    archive.store(report)
