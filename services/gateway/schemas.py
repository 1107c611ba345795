"""Requests and replies of /vqa."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from prompt4trust.questions import MAX_OPTIONS
from services.common.http.openapi.quantities import Amount, Count, Positive, Share
from services.common.http.question_fields import OPTION_LETTER, plain_text, read_options

MAX_QUESTION = 4_000
MAX_OPTION = 500
MAX_GROUPS = 16
MAX_GROUP = 100
DEFAULT_METHODS = ("cgp", "cgp+logprob", "verbalized")
"""The methods that are offered where the settings do not say: those that ask each model once. Here and there the first
answers requests that name none."""


def _distinct(options: dict[str, str]) -> dict[str, str]:
    # What reads alike is alike: neither a model nor a person could tell such options apart.
    seen = {" ".join(text.casefold().split()) for text in options.values()}
    if len(seen) != len(options):
        raise PydanticCustomError("option_twice", "options must differ from each other")
    return options


def _offered_method(name: str, info: ValidationInfo) -> str:
    offered = (info.context or {}).get("methods", DEFAULT_METHODS)
    if name not in offered:
        raise PydanticCustomError("unknown_method", "must be one of: {offered}", {"offered": ", ".join(offered)})
    return name


def _plain_groups(groups: dict[str, str]) -> dict[str, str]:
    if len(groups) > MAX_GROUPS:
        raise PydanticCustomError("group_count", "at most {most} groups can be named", {"most": MAX_GROUPS})
    return {
        plain_text(name, what="a group's name", limit=MAX_GROUP): plain_text(value, what="a group", limit=MAX_GROUP)
        for name, value in groups.items()
    }


OptionText = Annotated[str, Field(min_length=1, max_length=MAX_OPTION)]
OptionList = Annotated[list[OptionText], Field(max_length=MAX_OPTIONS)]
LetteredOptions = Annotated[
    dict[str, OptionText],
    Field(max_length=MAX_OPTIONS, json_schema_extra={"propertyNames": {"pattern": OPTION_LETTER}}),
]
Options = Annotated[
    dict[str, str],
    BeforeValidator(
        lambda options: read_options(options, limit=MAX_OPTION), json_schema_input_type=OptionList | LetteredOptions
    ),
    AfterValidator(_distinct),
]


class Ask(BaseModel):
    """A question about a picture, without the picture. The OpenAPI document of /vqa is made of this model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: Annotated[
        str,
        AfterValidator(lambda text: plain_text(text, what="the question", limit=MAX_QUESTION)),
        Field(
            description="The question, 1 to 4 000 characters.",
            json_schema_extra={"minLength": 1, "maxLength": MAX_QUESTION},
        ),
    ]
    options: Options = Field(
        default_factory=dict,
        description="2 to 26 distinct texts, lettered A, B, C, ... in order, or an object letter -> text; none for an "
        "open question.",
    )
    method: Annotated[str, AfterValidator(_offered_method)] = Field(
        description="How the confidence is obtained: one of those that GET /v1/about lists with the default.",
        json_schema_extra={"minLength": 1, "maxLength": 40},
    )
    max_risk: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="Largest accepted share of wrong answers among those given; by default the gateway's own.",
    )
    coverage: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Rate at which the option set is to hold the right option; by default the gateway's own.",
    )
    groups: Annotated[dict[str, str], AfterValidator(_plain_groups)] = Field(
        default_factory=dict,
        description='What the client knows of the question, such as {"modality": "CT"}: an option set whose coverage '
        "holds within such groups is then that of the question's own.",
        json_schema_extra={
            "maxProperties": MAX_GROUPS,
            "propertyNames": {"minLength": 1, "maxLength": MAX_GROUP},
            "additionalProperties": {"type": "string", "minLength": 1, "maxLength": MAX_GROUP},
        },
    )


class ChosenAnswer(BaseModel):
    """The answer: an option, or for an open question a text without a letter.

    Attributes:
        letter: Letter of the option; None for an open question.
        text: Text of the option, or of the answer to an open question.
    """

    letter: str | None
    text: str


class FittedOn(BaseModel):
    """The data that a calibrator was fitted on.

    Attributes:
        n: Number of answers.
        dataset: Name of the data.
        ece: Expected calibration error that was measured after the correction, or None.
        date: Date of the fit.
    """

    n: Count
    dataset: str
    ece: Share | None
    date: str


class Calibration(BaseModel):
    """The origin of a confidence.

    Attributes:
        calibrated: Whether a calibrator that was fitted for exactly these models, method and wording was applied.
        calibrator: Its name.
        stated_confidence: What the method gave before any correction, in [0, 1]: for cgp and verbalized, what the model
            itself stated; None where its reply could not be read.
        interval: Ends between which the calibrated confidence lies for all that the calibrator's held-out answers say;
            None where the calibrator is of a kind that gives none.
        fitted_on: What the calibrator was fitted on.
        reason: Why there is no calibrated confidence, where there is none. A calibrator that was checked on questions
            unlike this one is not applied.
        alarm: What reviews of such answers show, where they show that the calibrator no longer holds.
    """

    calibrated: bool
    calibrator: str | None = None
    stated_confidence: Share | None = None
    interval: tuple[Share, Share] | None = None
    fitted_on: FittedOn | None = None
    reason: str | None = None
    alarm: str | None = None


class SelectionEvidence(BaseModel):
    """The evidence of a guarantee.

    Attributes:
        guard: Name of the artifact in the registry.
        n: Questions with known truth that thresholds were tested on, those without a readable answer included.
        accepted: Answers among them that reach the threshold.
        errors: Wrong ones among these.
        error_bound: What was shown of the share of errors: at most this, with probability 1 - delta.
        expected_coverage: Share of such questions that get an answer.
        share_at_threshold: Share of the answers of exactly the threshold's confidence that are given.
        least_risk: The smallest max_risk at which anything is answered.
        dataset: Name of the data.
        date: When it was tested.
    """

    guard: str
    n: Count
    accepted: Count
    errors: Count
    error_bound: Share | None
    expected_coverage: Share
    share_at_threshold: Share | None
    least_risk: Share
    dataset: str
    date: str


class Atypicality(BaseModel):
    """The question's distance from those that the promises rest on.

    Attributes:
        score: In [0, 1): of questions drawn as those were, at most a share 1 - score is as unusual.
        limit: Score from which on promises are withheld.
        beyond: Whether it is reached.
        reference: Name of the reference inputs in the registry.
        n: Questions that it was compared with.
        parts: The same by trait, "picture" and "words", each for itself.
        reason: The same for a person.
    """

    score: Share
    limit: Share
    beyond: bool
    reference: str
    n: Count
    parts: dict[str, Share]
    reason: str


DecisionCode = Literal[
    "confident-enough",
    "not-confident-enough",
    "risk-not-achievable",
    "not-calibrated",
    "no-verdict",
    "atypical-input",
    "atypicality-unknown",
    "calibration-alarm",
]
"""Outcomes of a decision; the last three: promises are withheld (see `services.gateway.answering.promises`)."""


class DecisionBasis(BaseModel):
    """Why an answer is given, or left to a person.

    Attributes:
        rule: The rule that decided: a threshold with a proven share of errors, or one without a proof.
        threshold: Least confidence at which an answer is given; None where none keeps to the accepted risk, or where
            promises are withheld.
        scale: The confidence that is compared with it: as the method gave it, or calibrated.
        source: Who chose: the request's max_risk, or the gateway's default.
        max_risk: Largest accepted share of wrong answers among those given, or None.
        delta: Probability with which the guarantee may fail over the draw of the checked answers; None without one.
        guarantee: Whether the rule bounds the share of errors with a proof.
        code: The outcome as a stable word.
        reason: The outcome for a person.
        evidence: What the guarantee rests on; None without one.
    """

    rule: Literal["risk-control", "confidence-threshold"]
    threshold: Share | None
    scale: Literal["stated", "calibrated"]
    source: Literal["default", "max_risk"]
    max_risk: Share | None = None
    delta: Share | None = None
    guarantee: bool
    code: DecisionCode
    reason: str
    evidence: SelectionEvidence | None = None


class OptionSetReply(BaseModel):
    """Options that hold the right one at a known rate.

    Attributes:
        letters: The options.
        coverage: The rate, on average over questions like the checked ones.
        guarantee: Always true: the rate holds whatever the model's probabilities are worth.
        groups: Group within which the rate holds; empty where it holds on average over all.
        n: Questions with known truth that it rests on.
        reason: The same for a person.
    """

    letters: list[str]
    coverage: Share
    guarantee: Literal[True] = True
    groups: dict[str, str]
    n: Count
    reason: str


class PictureSource(BaseModel):
    """A client's picture file.

    Attributes:
        format: Its format.
        width: Its width in pixels.
        height: Its height in pixels.
    """

    format: str
    width: Positive
    height: Positive


class PictureSeen(BaseModel):
    """The picture as the models saw it, and how it was made of the client's file.

    Attributes:
        source: The file: its format, width and height in pixels.
        width: Width that the models saw, in pixels.
        height: Height that they saw.
        window: The values of the file that became black and white, where its grey is deeper than eight bits; else null.
        scale: Pixels of a side for each one in the file, at most 1.
    """

    source: PictureSource
    width: Positive
    height: Positive
    window: tuple[float, float] | None
    scale: Share


class ModelsUsed(BaseModel):
    """The models that answered.

    Attributes:
        policy: The policy version; None where none was asked.
        downstream: The downstream model.
    """

    policy: str | None
    downstream: str


class Timing(BaseModel):
    """Wall-clock milliseconds.

    Attributes:
        policy: Of the policy, which is asked while the picture is decoded.
        downstream: Waiting for the downstream model.
        total: In all.
    """

    policy: Amount
    downstream: Amount
    total: Amount


class AnswerUsage(BaseModel):
    """Tokens that an answer took, as the models' servers count them; 0 where they do not say.

    Attributes:
        calls: Texts that the models wrote.
        prompt_tokens: Tokens that they read.
        completion_tokens: Tokens that they wrote.
    """

    calls: Count = 0
    prompt_tokens: Count = 0
    completion_tokens: Count = 0


Lack = Literal[
    "policy",
    "logprobs",
    "decoding",
    "system-message",
    "response-format",
    "seed",
    "calibrator",
    "calibration-alarm",
]
"""Things that an answer can be without."""


class VqaReply(BaseModel):
    """The reply of POST /vqa.

    Attributes:
        id: Unique to this answer.
        answer: The answer, or None where the model's reply holds none.
        confidence: Calibrated where calibration.calibrated says so, else as stated; None without an answer.
        calibration: Where the confidence comes from.
        decision: "answer", or "defer" to a person.
        decision_basis: Why.
        option_set: Options that hold the right one at a known rate, or None.
        option_set_reason: Why there is none, where there is none.
        atypicality: How unlike the questions that its promises rest on this one is, or None.
        atypicality_reason: Why that is not known, where it is not.
        guidance_prompt: The calibration guidance prompt that was used, or None.
        explanation: The downstream model's text, as it came.
        picture: The picture that the models saw.
        models: Who answered.
        degraded: What was done without: "policy", "calibrator", or what the model's server refuses: "logprobs",
            "decoding" (temperature, top_p or top_k), "system-message" (it went to the head of the question),
            "response-format", "seed"; "calibration-alarm" where a calibrator no longer holds.
        timing_ms: How long it took.
        usage: Tokens that it took of both models.
        recorded: Whether the answer is kept, so that feedback on it can be; it says nothing of the answer's worth.
    """

    id: str
    answer: ChosenAnswer | None
    confidence: Share | None
    calibration: Calibration
    decision: Literal["answer", "defer"]
    decision_basis: DecisionBasis
    option_set: OptionSetReply | None = None
    option_set_reason: str | None = None
    atypicality: Atypicality | None = None
    atypicality_reason: str | None = None
    guidance_prompt: str | None
    explanation: str
    picture: PictureSeen
    models: ModelsUsed
    degraded: list[Lack]
    timing_ms: Timing
    usage: AnswerUsage = Field(default_factory=AnswerUsage)
    recorded: bool = False
