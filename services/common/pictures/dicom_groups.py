"""Groups of a question that its DICOM object states itself: modality, and sex and age band where these are read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from prompt4trust.group_names import group_key
from prompt4trust.pictures import PreparedPicture

AGE_BAND_FORM: Final = r"^[0-9]{1,3}(-[0-9]{1,3}|\+)$"
_MODALITY, _SEX, _AGE_BAND = "modality", "sex", "age_band"
_OLDEST: Final = 999


@dataclass(frozen=True, slots=True)
class AgeBand:
    """A band of ages.

    Attributes:
        name: "60-74" or "75+", as the evidence has it.
        youngest: The least age in it, in whole years.
        oldest: The greatest.
    """

    name: str
    youngest: int
    oldest: int

    @classmethod
    def read(cls, name: str) -> Self:
        """Read a band by its name; raises ValueError where it is none.

        Example:
            >>> AgeBand.read("60-74").oldest, AgeBand.read("75+").youngest
            (74, 75)
        """
        if re.fullmatch(AGE_BAND_FORM, name) is None:
            raise ValueError(f"an age band is written 60-74 or 75+, not {name!r}")
        low, _, high = name.rstrip("+").partition("-")
        band = cls(name, int(low), int(high) if high else _OLDEST)
        if band.oldest < band.youngest:
            raise ValueError(f"an age band goes from the lower age to the higher, not {name}")
        return band


def read_age_bands(names: Sequence[str]) -> tuple[AgeBand, ...]:
    """Read bands, none of which may hold an age of another.

    Args:
        names: Their names.

    Returns:
        The bands, the youngest first.

    Raises:
        ValueError: If one is none, or two share an age.
    """
    bands = sorted((AgeBand.read(name) for name in names), key=lambda band: band.youngest)
    for first, second in itertools.pairwise(bands):
        if second.youngest <= first.oldest:
            raise ValueError(f"the age bands {first.name} and {second.name} share an age")
    return tuple(bands)


@dataclass(frozen=True, slots=True)
class DicomGroups:
    """The groups that are taken of DICOM objects, in place of what a client says of them.

    Attributes:
        modalities: Modality of an object -> the word that evidence has for it; one that is not listed goes by its own
            code. Empty where the modality is not taken.
        sexes: The same of the patient's sex ("M", "F", "O"); empty where it is not read.
        age_bands: Bands of the patient's age; empty where that is not read.
    """

    modalities: Mapping[str, str] = field(default_factory=dict)
    sexes: Mapping[str, str] = field(default_factory=dict)
    age_bands: Sequence[AgeBand] = ()

    @property
    def reads_sex_and_age(self) -> bool:
        """Whether the patient's sex or age has to be read."""
        return bool(self.sexes or self.age_bands)

    def applied(self, groups: Mapping[str, str], picture: PreparedPicture) -> dict[str, str]:
        """Put what an object states in place of what a client names; what the object does not state stays.

        An age that is in no band leaves the question without a band, whatever its client names.

        Args:
            groups: What the client names.
            picture: The prepared picture of its file.
        """
        stated = self._stated(picture)
        others = {name: value for name, value in groups.items() if group_key(name) not in stated}
        return {**others, **{name: value for name, value in stated.items() if value is not None}}

    def _stated(self, picture: PreparedPicture) -> dict[str, str | None]:
        source, patient = picture.origin.dicom, picture.origin.sex_and_age
        found: dict[str, str | None] = {}
        if self.modalities and source is not None and source.modality:
            found[_MODALITY] = self.modalities.get(source.modality, source.modality)
        if patient is None:
            return found
        if self.sexes and patient.sex:
            found[_SEX] = self.sexes.get(patient.sex, patient.sex)
        if self.age_bands and (age := patient.age_years) is not None:
            bands = (band.name for band in self.age_bands if band.youngest <= age <= band.oldest)
            found[_AGE_BAND] = next(bands, None)
        return found
