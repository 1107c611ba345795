"""The form that a client wants a reply in: JSON, events, FHIR, or a DICOM report where the question came with DICOM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import anyio.to_thread
from fastapi import Response

from prompt4trust.pictures.dicom import DicomSource
from services.common.http.problems import Problem
from services.gateway.intake.query import Query
from services.gateway.results.fhir.example import EXAMPLE
from services.gateway.results.forms import ResultForm, installed_forms, write_result
from services.gateway.results.result import AnswerResult, can_be_referenced, source_of
from services.gateway.web.content_negotiation import JSON, ranked

EVENTS: Final = "text/event-stream"
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}

FORMS: Final[dict[str, Any]] = {
    "application/fhir+json": {
        "schema": {"type": "object", "description": "A FHIR Bundle of the type collection."},
        "example": EXAMPLE,
    },
    ResultForm.DICOM_SR.value: _BINARY,
}
"""OpenAPI's description of the forms beside JSON."""

NOT_ACCEPTABLE: Final = (
    "No form of a reply that `Accept` allows, or `application/dicom` for a picture that is no DICOM."
)
"""The status 406 in OpenAPI documents."""


@dataclass(frozen=True, slots=True)
class WantedForms:
    """Forms that a client takes.

    Attributes:
        ranked: Their media types, the one that is wanted most first.
    """

    ranked: Sequence[str]

    @property
    def is_events(self) -> bool:
        """Whether it wants events most."""
        return self.ranked[0] == EVENTS

    def check(self, query: Query) -> None:
        """Check that a question's reply can be given as it is wanted.

        Raises:
            Problem: 406 if it cannot.
        """
        self.choose(source_of(query))

    def choose(self, source: DicomSource | None) -> ResultForm | None:
        """Choose the form.

        Args:
            source: The DICOM instance that the question is about, if it is about one.

        Returns:
            The form; None for JSON.

        Raises:
            Problem: 406 if there is none.
        """
        for each in self.ranked:
            if each == JSON:
                return None
            if each != EVENTS and (each != ResultForm.DICOM_SR or can_be_referenced(source)):
                return ResultForm(each)
        raise Problem(
            406,
            "no-dicom-source",
            "A DICOM report is about a DICOM instance, and this picture is none that names itself: accept "
            "application/json or application/fhir+json.",
        )


def wanted_forms(accept: str, *, events: bool) -> WantedForms:
    """Read what forms a client takes.

    Args:
        accept: The header Accept; empty where there is none.
        events: Whether events are offered.

    Raises:
        Problem: 406 if it takes none that is offered.
    """
    offered = [JSON, *([EVENTS] if events else []), *installed_forms()]
    found = ranked(accept, offered)
    if not found:
        raise Problem(406, "not-acceptable", f"The reply can be had as {', '.join(offered)}: accept one of these.")
    return WantedForms(found)


async def result_response(result: AnswerResult, form: ResultForm, **headers: str) -> Response:
    """Write a result in a form, beside the event loop."""
    body = await anyio.to_thread.run_sync(partial(write_result, result, form))
    return Response(body, media_type=form.value, headers={"Vary": "Accept", **headers})
