"""A patient's sex and age as a DICOM object states them: groups of questions are made of these, and nothing else is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

_SEXES: Final = ("M", "F", "O")
_AGE: Final = re.compile(r"([0-9]{3})([DWMY])")
_IN_A_YEAR: Final = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}


@dataclass(frozen=True, slots=True)
class SexAndAge:
    """Sex and age of the patient of an object.

    Attributes:
        sex: "M", "F" or "O"; empty where none of them is stated.
        age_years: Whole years of age at the time of the study, 0 to 999; None where none are stated.
    """

    sex: str = ""
    age_years: int | None = None

    @classmethod
    def read(cls, sex: str, age: str) -> Self:
        """Read both elements; anything else that stands in them counts as not stated.

        Args:
            sex: Patient's Sex (0010,0040).
            age: Patient's Age (0010,1010): three digits and D, W, M or Y.

        Source: DICOM PS3.3, C.7.1.1 and C.7.2.2; the form of an age: PS3.5, 6.2, AS.

        Example:
            >>> SexAndAge.read("F", "018M")
            SexAndAge(sex='F', age_years=1)
        """
        stated = _AGE.fullmatch(age.strip().upper())
        code = sex.strip().upper()
        years = None if stated is None else int(int(stated[1]) / _IN_A_YEAR[stated[2]])
        return cls(code if code in _SEXES else "", years)
