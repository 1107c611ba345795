"""Sex and age of a DICOM object's patient: read where the limits say so, and nowhere else."""

from __future__ import annotations

import pytest

from prompt4trust.pictures import PictureLimits, prepare_picture
from prompt4trust.pictures.dicom.sex_and_age import SexAndAge
from tests.prompt4trust.pictures.dicom.objects import ct, written


@pytest.mark.parametrize(
    ("age", "years"),
    [
        *(("067Y", 67), ("000Y", 0), ("103Y", 103), ("018M", 1), ("011M", 0), ("104W", 1), ("105W", 2), ("366D", 1)),
        *((" 067y ", 67), ("67Y", None), ("067", None), ("", None), ("Doe^J", None), ("067YY", None)),
    ],
)
def test_ages_are_whole_years(age: str, years: int | None) -> None:
    assert SexAndAge.read("F", age).age_years == years


@pytest.mark.parametrize(
    ("sex", "code"), [("F", "F"), ("m ", "M"), ("O", "O"), ("female", ""), ("", ""), ("Doe^J", "")]
)
def test_only_the_standards_own_codes_are_a_sex(sex: str, code: str) -> None:
    assert SexAndAge.read(sex, "").sex == code


def test_neither_is_read_unless_the_limits_say_so() -> None:
    file = written(ct(PatientSex="F", PatientAge="067Y"))
    assert prepare_picture(file).origin.sex_and_age is None
    origin = prepare_picture(file, PictureLimits(reads_sex_and_age=True)).origin
    assert origin.sex_and_age == SexAndAge("F", 67)
    silent = written(ct(PatientSex=None, PatientAge=None))
    assert prepare_picture(silent, PictureLimits(reads_sex_and_age=True)).origin.sex_and_age == SexAndAge("", None)
