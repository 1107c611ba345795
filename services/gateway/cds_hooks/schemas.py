"""Requests and replies of CDS Hooks 2.0, as far as this service uses them; names on the wire are the standard's."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr
from pydantic.alias_generators import to_camel

from services.common.http.openapi.quantities import Count
from services.gateway.question_schemas import MAX_QUESTION, Options
from services.gateway.records.schemas import Comment

HOOK: Final = "org.trustvqa.image-question"
SERVICE_ID: Final = "image-question"
DISCOVERY_PATH: Final = "/cds-services"
SERVICE_PATH: Final = f"{DISCOVERY_PATH}/{SERVICE_ID}"
FEEDBACK_PATH: Final = f"{SERVICE_PATH}/feedback"
MOST_FEEDBACK: Final = 100
LONGEST_SUMMARY: Final = 139
_UUID: Final = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

Uuid = Annotated[StrictStr, Field(pattern=_UUID)]
_Id = Annotated[StrictStr, Field(min_length=1, max_length=200)]
_Word = Annotated[StrictStr, Field(max_length=300)]


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class CdsService(_Wire):
    """A service that can be called.

    Attributes:
        hook: The event in a record system that it is for.
        title: Its name for people.
        description: Its purpose.
        id: Its part of the address.
        prefetch: Resources that a client sends along: name -> FHIR query, of which parts come from the context.
        usage_requirements: Conditions of its use.
    """

    hook: str
    title: str
    description: str
    id: str
    prefetch: dict[str, str]
    usage_requirements: str


class CdsServices(_Wire):
    """All services.

    Attributes:
        services: The services.
    """

    services: list[CdsService]


class HookContext(BaseModel):
    """A question about a picture, from a record system.

    Attributes:
        user_id: The user, as FHIR names him; not kept.
        patient_id: The patient; not kept, and never told to a model.
        encounter_id: The encounter; the same.
        binary_id: Id of the Binary that holds the picture, by which the client fills `prefetch.image`.
        question: The question, 1 to 4 000 characters.
        options: 2 to 26 texts, or letter -> text; none for an open question.
        max_risk: Largest accepted share of wrong answers among those given.
        image: The picture in base64, where it is not in `prefetch.image`.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")

    user_id: _Id | None = None
    patient_id: _Id | None = None
    encounter_id: _Id | None = None
    binary_id: _Id | None = None
    question: Annotated[StrictStr, Field(min_length=1, max_length=MAX_QUESTION)]
    options: Options = Field(default_factory=dict)
    max_risk: Annotated[float, Field(ge=0, le=1)] | None = None
    image: StrictStr | None = None


class HookRequest(_Wire):
    """A call of the service. Further members, as the client's FHIR server and a token for it, are not looked at.

    Attributes:
        hook: Always `org.trustvqa.image-question`.
        hook_instance: The call's id, a UUID.
        context: The question.
        prefetch: `image` is a FHIR Binary, a Media or a DocumentReference that holds the picture itself.
    """

    hook: Literal["org.trustvqa.image-question"]
    hook_instance: Uuid
    context: HookContext
    prefetch: Annotated[dict[str, Any], Field(max_length=20)] | None = None


class CardSource(_Wire):
    """The origin of a card.

    Attributes:
        label: Its name.
        url: Its address.
    """

    label: str
    url: str


class CardLink(_Wire):
    """A link to more.

    Attributes:
        label: Its text.
        url: Its address.
        type: Always `absolute`.
    """

    label: str
    url: str
    type: Literal["absolute"] = "absolute"


class CardSuggestion(_Wire):
    """A choice that says that the answer is right.

    Attributes:
        label: Its text.
        uuid: Its id, for feedback.
    """

    label: str
    uuid: str


class OverrideReason(_Wire):
    """A reason for setting a card aside.

    Attributes:
        code: `answer-wrong`, `right-option-A` and so on, or `not-relevant`.
        system: Whose codes these are.
        display: The same for people.
    """

    code: str
    system: str
    display: str


class HookCard(_Wire):
    """An answer, or the notice that there is none.

    Attributes:
        uuid: The answer's id; feedback names it.
        summary: The whole in less than 140 characters.
        indicator: `info` for an answer, `warning` where the question is left to a person; never `critical`.
        detail: More, as Markdown.
        source: Where it comes from.
        suggestions: The choice that says that the answer is right.
        selection_behavior: That there is one to choose at most.
        override_reasons: Reasons to set it aside.
        links: More about it.
    """

    uuid: str
    summary: Annotated[str, Field(max_length=LONGEST_SUMMARY)]
    indicator: Literal["info", "warning"]
    detail: str
    source: CardSource
    suggestions: list[CardSuggestion] | None = None
    selection_behavior: Literal["at-most-one"] | None = None
    override_reasons: list[OverrideReason] | None = None
    links: list[CardLink]


class HookCards(_Wire):
    """The reply to a call.

    Attributes:
        cards: One card.
    """

    cards: list[HookCard]


class AcceptedSuggestion(_Wire):
    """A suggestion that was taken.

    Attributes:
        id: Its uuid.
    """

    id: Uuid


class ReasonCode(_Wire):
    """The code of a reason; others than those of the card count as none.

    Attributes:
        code: The code.
        system: Whose codes these are.
        display: The same for people.
    """

    code: _Word
    system: _Word | None = None
    display: _Word | None = None


class GivenReason(_Wire):
    """A user's reason for setting a card aside.

    Attributes:
        reason: One of the card's.
        user_comment: A remark, in at most 2 000 characters.
    """

    reason: ReasonCode | None = None
    user_comment: Comment | None = None


class CardOutcome(_Wire):
    """The fate of a card.

    Attributes:
        card: The card's uuid.
        outcome: Whether its suggestion was taken, or it was set aside.
        accepted_suggestions: The suggestion, where it was taken.
        override_reason: The reason, where it was set aside.
        outcome_timestamp: When; not kept, as the time at which it comes is.
    """

    card: Uuid
    outcome: Literal["accepted", "overridden"]
    accepted_suggestions: Annotated[list[AcceptedSuggestion], Field(max_length=10)] | None = None
    override_reason: GivenReason | None = None
    outcome_timestamp: Annotated[StrictStr, Field(max_length=40)] | None = None


class HookFeedback(_Wire):
    """The fates of some cards.

    Attributes:
        feedback: 1 to 100 of them.
    """

    feedback: Annotated[list[CardOutcome], Field(min_length=1, max_length=MOST_FEEDBACK)]


class HookFeedbackReply(_Wire):
    """Feedback as it was taken.

    Attributes:
        taken: How many fates of cards there were.
        reviews: How many of them said whether an answer was right, and were kept as reviews.
    """

    taken: Count
    reviews: Count
