"""The client: a gateway from Python, for programs with an event loop and without.

    from trustvqa import Client

    with Client("http://127.0.0.1:8080") as client:
        result = client.ask("knee.png", "Is a fracture to be seen?", ["Yes", "No"])
        print(result)

`result.answer` is None where the question is left to a person.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trustvqa.client.async_client import AsyncClient
    from trustvqa.client.batches import BatchOutcome
    from trustvqa.client.errors import (
        BusyGatewayError,
        ClientError,
        ConflictError,
        DeadlineError,
        FailedGatewayError,
        GatewayUnreachableError,
        InvalidQuestionError,
        NotAGatewayError,
        ProblemError,
        RefusedKeyError,
        UnknownRecordError,
        UnusablePictureError,
        WrongField,
    )
    from trustvqa.client.questions import VqaQuestion
    from trustvqa.client.results import CalibrationInfo, Choice, DecisionInfo, OptionSetInfo, VqaResult
    from trustvqa.client.sync_client import Client

_MODULES = {
    "async_client": "AsyncClient",
    "batches": "BatchOutcome",
    "errors": (
        "BusyGatewayError ClientError ConflictError DeadlineError FailedGatewayError GatewayUnreachableError "
        "InvalidQuestionError NotAGatewayError ProblemError RefusedKeyError UnknownRecordError UnusablePictureError "
        "WrongField"
    ),
    "questions": "VqaQuestion",
    "results": "CalibrationInfo Choice DecisionInfo OptionSetInfo VqaResult",
    "sync_client": "Client",
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "AsyncClient",
    "BatchOutcome",
    "BusyGatewayError",
    "CalibrationInfo",
    "Choice",
    "Client",
    "ClientError",
    "ConflictError",
    "DeadlineError",
    "DecisionInfo",
    "FailedGatewayError",
    "GatewayUnreachableError",
    "InvalidQuestionError",
    "NotAGatewayError",
    "OptionSetInfo",
    "ProblemError",
    "RefusedKeyError",
    "UnknownRecordError",
    "UnusablePictureError",
    "VqaQuestion",
    "VqaResult",
    "WrongField",
]


def __getattr__(name: str) -> Any:
    # A name's module is read at its first use: who asks one question needs neither batches nor an event loop.
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
