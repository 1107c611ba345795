"""Requests and replies of the policy API."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from prompt4trust.questions import MAX_OPTIONS
from services.common.http.openapi.quantities import Count, Positive
from services.common.http.question_fields import OPTION_LETTER, plain_text, read_options

MAX_QUESTION_CHARS = 8000
MAX_OPTION_CHARS = 2000

_OPTION_SCHEMA = {"type": "string", "minLength": 1, "maxLength": MAX_OPTION_CHARS}
_OPTIONS_SCHEMA = {
    "description": "Texts, lettered A, B, C, ... in order, or an object of letter and text; 2 to 26. None or empty "
    "for an open question.",
    "anyOf": [
        {"type": "array", "items": _OPTION_SCHEMA, "maxItems": MAX_OPTIONS},
        {
            "type": "object",
            "propertyNames": {"pattern": OPTION_LETTER},
            "additionalProperties": _OPTION_SCHEMA,
            "maxProperties": MAX_OPTIONS,
        },
        {"type": "null"},
    ],
}
QuestionText = Annotated[
    str,
    AfterValidator(lambda text: plain_text(text, what="the question", limit=MAX_QUESTION_CHARS)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_QUESTION_CHARS}),
]
Options = Annotated[
    dict[str, str],
    BeforeValidator(lambda options: read_options(options, limit=MAX_OPTION_CHARS)),
    WithJsonSchema(_OPTIONS_SCHEMA),
]
VersionName = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class CgpRequest(BaseModel):
    """A question that calibration guidance prompts are to be written for.

    Attributes:
        question: The question's text.
        options: Letter -> text; empty for an open question.
        n: How many prompts. Greedy ones are all the same: one is written and repeated.
        temperature: 0 decodes greedily (the default, and the only replies that are cached); above it samples.
        seed: Makes sampling repeatable; has no influence on greedy decoding.
        version: Policy version to ask, or None for the active one.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    question: QuestionText
    options: Options = Field(default_factory=dict)
    n: int = Field(default=1, ge=1)
    temperature: float = Field(default=0.0, ge=0, le=2)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    version: VersionName | None = None


class GuidancePrompt(BaseModel):
    """One calibration guidance prompt.

    Attributes:
        text: The prompt.
        finish_reason: "stop", or "length" where it was cut at the longest length.
    """

    text: str
    finish_reason: str


class TokenUsage(BaseModel):
    """Tokens that this request cost: none where the reply was made for another, identical request.

    Attributes:
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        total_tokens: Both together.
    """

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count


class CgpReply(BaseModel):
    """The prompts, and the version that wrote them.

    Attributes:
        id: Unique identifier of the reply.
        version: Policy version that wrote the prompts.
        prompts: As many as were asked for.
        usage: Tokens that this request cost.
        cached: Whether the text was written for another, identical request, earlier or at the same time.
    """

    id: str
    version: str
    prompts: list[GuidancePrompt]
    usage: TokenUsage
    cached: bool


class TemplateInfo(BaseModel):
    """The wording that a version was trained with.

    Attributes:
        name: Name of the template.
        version: Its version.
    """

    name: str
    version: Positive


class PolicyInfo(BaseModel):
    """A policy version of the registry.

    Attributes:
        version: Its name.
        active: Whether it answers requests that name no version.
        loaded: Whether it is in memory.
        usable: Whether its directory is complete as far as can be seen without loading it.
        problem: Why it is not usable.
        template: Its prompt template.
        metadata: What its config.json and metrics.json say of it.
    """

    version: str
    active: bool
    loaded: bool
    usable: bool
    problem: str | None = None
    template: TemplateInfo | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class PolicyList(BaseModel):
    """The registry's policy versions.

    Attributes:
        active: The version that answers requests that name none, or None.
        policies: The versions, sorted by name.
    """

    active: str | None
    policies: list[PolicyInfo]


class ActivatedPolicy(BaseModel):
    """The reply to an activation.

    Attributes:
        active: The version that answers now.
        previous: The one that did before, or None.
    """

    active: str
    previous: str | None
