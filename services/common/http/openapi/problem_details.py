"""The schema of problem documents, as `services.common.http.problems` sends them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from services.common.http.problems import TYPE_PREFIX


class FieldFault(BaseModel):
    """A fault of a request.

    Attributes:
        field: The field's name, with points between the parts of its path; empty for the body as a whole.
        message: What is wrong with it.
    """

    field: str
    message: str


class ProblemDetails(BaseModel):
    """A problem document (RFC 9457). Switch on `type`, show `detail`.

    Attributes:
        type: The kind of problem; it is stable.
        title: The kind in words.
        status: The reply's status.
        detail: What is wrong and what to change, for a person.
        request_id: The request's id, as in the header `X-Request-Id`.
        errors: The faults one by one, where fields are wrong.
        scope: Scopes that the key lacks.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": f"{TYPE_PREFIX}invalid-request",
                    "title": "Invalid request",
                    "status": 422,
                    "detail": "Check question: it is empty.",
                    "request_id": "0bf18667edb341f48cbb3f4f60dd135d",
                    "errors": [{"field": "question", "message": "it is empty"}],
                }
            ]
        },
    )

    type: str = Field(pattern=f"^{TYPE_PREFIX}[a-z0-9-]+$")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    request_id: str | None = None
    errors: list[FieldFault] | None = None
    scope: str | None = None
