"""The client: a gateway from Python, for programs with an event loop and without.

    from trustvqa import Client

    with Client("http://127.0.0.1:8080") as client:
        result = client.ask("knee.png", "Is there a fracture?", ["Yes", "No"])
        print(result)

`result.answer` is None where the question is left to a person.
"""

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
