"""The forms that a result can be had in, and the libraries that they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from importlib.util import find_spec
from typing import Final

from services.gateway.results.fhir.bundle import fhir_bundle
from services.gateway.results.result import AnswerResult
from services.gateway.results.sr.report import structured_report


class ResultForm(StrEnum):
    """Form of a result; its value is the media type that replies have."""

    FHIR_R4B = "application/fhir+json; fhirVersion=4.3"
    FHIR_R5 = "application/fhir+json; fhirVersion=5.0"
    DICOM_SR = "application/dicom"


@dataclass(frozen=True, slots=True)
class _Writer:
    write: Callable[[AnswerResult], bytes]
    needs: str


_WRITERS: Final[Mapping[ResultForm, _Writer]] = {
    ResultForm.FHIR_R4B: _Writer(partial(fhir_bundle, release="R4B"), "fhir"),
    ResultForm.FHIR_R5: _Writer(partial(fhir_bundle, release="R5"), "fhir"),
    ResultForm.DICOM_SR: _Writer(structured_report, "highdicom"),
}


@cache
def installed_forms() -> tuple[ResultForm, ...]:
    """List the forms whose libraries are installed: they come with the extra `hospital`."""
    return tuple(form for form, writer in _WRITERS.items() if find_spec(writer.needs) is not None)


def write_result(result: AnswerResult, form: ResultForm) -> bytes:
    """Write a result.

    It takes milliseconds, and a second when it is done first: not for an event loop.

    Args:
        result: The result; for a DICOM report one with a source.
        form: One of `installed_forms`.
    """
    return _WRITERS[form].write(result)
