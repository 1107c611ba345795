"""A report takes patient and study from its source alone, and its times into the zone of the study's."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from services.common.pacs.errors import MisfitError
from services.common.pacs.patient_study import PATIENT_AND_STUDY, adopt_patient, referenced_instance
from services.gateway.results.result import result_of
from services.gateway.results.sr.report import structured_report
from tests.services.gateway.results.answers import answers


def a_report() -> Any:
    return dcmread(BytesIO(structured_report(result_of(next(answers(1))))))


def source_of(report: Any, **changes: Any) -> Dataset:
    made = Dataset()
    study, series, instance = referenced_instance(report)
    fields = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "SOPInstanceUID": instance,
        "PatientName": "Müller^Zoë",
        "PatientID": "4711",
        "PatientBirthDate": "19010203",
        "PatientSex": "F",
        "StudyDate": "20260301",
        "StudyTime": "101500",
        "StudyID": "9",
        "AccessionNumber": "ACC1",
        "ReferringPhysicianName": "Referrer^A",
        "InstitutionName": "Infirmary",
        "PatientAge": "099Y",
    }
    for name, value in {**fields, **changes}.items():
        setattr(made, name, value)
    return made


def test_what_every_report_must_have_is_copied_and_nothing_else() -> None:
    report = a_report()
    before = {element.keyword for element in report}
    adopt_patient(report, source_of(report))
    assert {name: str(report[name].value) for name in ("PatientName", "PatientID", "StudyID")} == {
        "PatientName": "Müller^Zoë",
        "PatientID": "4711",
        "StudyID": "9",
    }
    assert {element.keyword for element in report} - before <= set(PATIENT_AND_STUDY)
    assert "InstitutionName" not in report
    assert "PatientAge" not in report


def test_a_report_of_another_study_or_instance_is_left_alone() -> None:
    report = a_report()
    for changes in ({"StudyInstanceUID": "1.2.3"}, {"SOPInstanceUID": "1.2.3"}):
        with pytest.raises(MisfitError):
            adopt_patient(report, source_of(report, **changes))
    assert report.PatientID == ""
    del report.CurrentRequestedProcedureEvidenceSequence
    with pytest.raises(MisfitError, match="no instance"):
        referenced_instance(report)


@pytest.mark.parametrize(
    ("offset", "moved"),
    [("+0000", ("20260301", "233000")), ("+0130", ("20260302", "010000")), ("-0500", ("20260301", "183000"))],
)
def test_times_are_in_the_zone_of_the_study(offset: str, moved: tuple[str, str]) -> None:
    report = a_report()
    for what in ("Content", "InstanceCreation", "Series"):
        setattr(report, f"{what}Date", "20260301")
        setattr(report, f"{what}Time", "233000.000000")
    adopt_patient(report, source_of(report, TimezoneOffsetFromUTC=offset))
    assert (report.ContentDate, report.ContentTime[:6]) == moved
    assert (report.StudyTime, report.TimezoneOffsetFromUTC) == ("101500", offset)


def test_a_study_without_a_zone_leaves_the_report_without_one() -> None:
    report = a_report()
    at = report.ContentTime
    adopt_patient(report, source_of(report))
    assert "TimezoneOffsetFromUTC" not in report
    assert report.ContentTime == at
