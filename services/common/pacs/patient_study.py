"""The patient and the study of a report: copied from the instance that it is about, at the moment it is stored."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from services.common.pacs.errors import MisfitError

if TYPE_CHECKING:
    from pydicom import Dataset

PATIENT_AND_STUDY: Final = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex",
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""Attributes that are copied: those of type 1 and 2 of the modules Patient and General Study (DICOM PS3.3, C.7.1.1 and
C.7.2.1), which every report must have, and the issuer, without which an identifier of a patient may be another's."""

SOURCE_ATTRIBUTES: Final = (*PATIENT_AND_STUDY, "StudyInstanceUID", "SOPInstanceUID", "TimezoneOffsetFromUTC")
"""Attributes that a report's source is read for."""

_OFFSET: Final = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")


def adopt_patient(report: Dataset, source: Dataset) -> None:
    """Fill in patient and study of a report.

    Args:
        report: The report, which is changed.
        source: The attributes of the instance that it is about, from the archive that the report goes to.

    Raises:
        MisfitError: If they are not of one study, or the report is about another instance.
    """
    if report.StudyInstanceUID != source.get("StudyInstanceUID"):
        raise MisfitError("the report and the instance are not of one study")
    if source.get("SOPInstanceUID") not in _referenced(report):
        raise MisfitError("the report is about another instance")
    for name in PATIENT_AND_STUDY:
        if name in source:
            report[name] = deepcopy(source[name])
    _adopt_zone(report, source.get("TimezoneOffsetFromUTC"))


def referenced_instance(report: Dataset) -> tuple[str, str, str]:
    """Find the study, series and instance that a report is about.

    Raises:
        MisfitError: If it is about none.
    """
    for study in report.get("CurrentRequestedProcedureEvidenceSequence", ()):
        for series in study.ReferencedSeriesSequence:
            for instance in series.ReferencedSOPSequence:
                return study.StudyInstanceUID, series.SeriesInstanceUID, instance.ReferencedSOPInstanceUID
    raise MisfitError("the report is about no instance")


def _referenced(report: Dataset) -> set[str]:
    return {referenced_instance(report)[2]}


def _adopt_zone(report: Dataset, offset: str | None) -> None:
    """Write the report's own times in the zone of the study's: one offset holds for all of an object's.

    A study that names no zone is in the archive's own, which nobody says: the report's times stay in UTC and their zone
    goes unsaid, as else the study's time would be moved.
    """
    if offset is None or not _OFFSET.fullmatch(offset):
        if "TimezoneOffsetFromUTC" in report:
            del report.TimezoneOffsetFromUTC
        return
    sign = -1 if offset[0] == "-" else 1
    zone = timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:])))
    for what in ("Content", "InstanceCreation", "Series"):
        date, time = report.get(f"{what}Date"), report.get(f"{what}Time")
        at = datetime.strptime(f"{date}{time}+0000", "%Y%m%d%H%M%S.%f%z").astimezone(zone)
        setattr(report, f"{what}Date", f"{at:%Y%m%d}")
        setattr(report, f"{what}Time", f"{at:%H%M%S.%f}")
    report.TimezoneOffsetFromUTC = offset
