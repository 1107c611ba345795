"""A result as a DICOM Comprehensive SR: a measurement report (TID 1500) on one source image."""

from __future__ import annotations

import uuid
from io import BytesIO
from typing import TYPE_CHECKING, Final

from prompt4trust.pictures.dicom import DicomSource
from services.gateway.results.result import AnswerResult, can_be_referenced
from services.gateway.results.sr.content import content_of

if TYPE_CHECKING:
    from pydicom import Dataset

_NAMESPACE: Final = uuid.UUID("b7a4b1c0-0f0b-5b0e-8c9a-6d3f5f0a2e77")
_MANUFACTURER: Final = "TrustVQA"
_UNKNOWN: Final = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID")
# Of type 2: present, and empty for now.
_EMPTY: Final = (*_UNKNOWN, "AccessionNumber", "ReferringPhysicianName")


def structured_report(result: AnswerResult) -> bytes:
    """Write a result as a DICOM file.

    Patient and study are those of the source, of which the gateway knows nothing but identifiers: these modules are
    empty. Whoever stores the report fills them in from the source (`trustvqa send`, the listener).

    Args:
        result: A result with a source.

    Returns:
        A DICOM file, explicit little endian: the same bytes for the same result. Its SOP Instance UID follows from the
        answer's id, so that a report that is stored twice is one object.

    Raises:
        ValueError: If there is no source, or one without identifiers.
        ModuleNotFoundError: If highdicom is not installed.
    """
    from highdicom.sr import ComprehensiveSR

    if result.source is None or not can_be_referenced(result.source):
        raise ValueError("a picture that is no DICOM instance has nowhere for a report to belong")
    report = ComprehensiveSR(
        evidence=[_evidence(result.source)],
        content=content_of(result, result.source, device_uid=uid_of("device", result.software))[0],
        series_instance_uid=uid_of("series", result.id),
        series_number=1,
        sop_instance_uid=report_uid(result.id),
        instance_number=1,
        manufacturer=_MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        manufacturer_model_name="TrustVQA gateway",
        software_versions=result.software,
        device_serial_number="none",
        series_description="Answers by AI, calibrated or left to a person",
    )
    _date(report, result)
    buffer = BytesIO()
    report.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def report_uid(answer_id: str) -> str:
    """Name the SOP Instance UID of the report on an answer."""
    return uid_of("report", answer_id)


def uid_of(*parts: str) -> str:
    """Make a UID of texts: the same for the same, below 2.25 as a UUID has it."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(10).join(parts)).int}"


def _evidence(source: DicomSource) -> Dataset:
    from pydicom import Dataset

    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = source.sop_class_uid, source.sop_instance_uid
    made.StudyInstanceUID, made.SeriesInstanceUID = source.study_uid, source.series_uid
    made.Modality = source.modality
    for name in _EMPTY:
        setattr(made, name, None)
    return made


def _date(report: Dataset, result: AnswerResult) -> None:
    """Date the report by its answer, in UTC, so that it is the same whenever it is written."""
    date, time = f"{result.at:%Y%m%d}", f"{result.at:%H%M%S.%f}"
    for what in ("Content", "InstanceCreation", "Series"):
        for part, value in (("Date", date), ("Time", time)):
            setattr(report, f"{what}{part}", value)
    report.TimezoneOffsetFromUTC = "+0000"
    for equipment in report.get("ContributingEquipmentSequence", ()):
        equipment.ContributionDateTime = f"{date}{time}+0000"
    report.SpecificCharacterSet = "ISO_IR 192"
