"""Replies of /vqa."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import BaseModel, Field, model_validator

from services.common.http.openapi.quantities import Amount, Count, Share
from services.gateway.picture_schemas import PictureSeen

FEWEST_LEFT: Final = 2
"""Options of the smallest set that is told of a question that is left to a person: one would be the guess."""


class ChosenAnswer(BaseModel):
    """An option, or for an open question a text without a letter: an answer, or a guess.

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
        groups: The question's groups that the calibrator has a correction of their own for; empty where it corrects all
            alike, or knows none of them.
    """

    calibrated: bool
    calibrator: str | None = None
    stated_confidence: Share | None = None
    interval: tuple[Share, Share] | None = None
    fitted_on: FittedOn | None = None
    reason: str | None = None
    alarm: str | None = None
    groups: dict[str, str] = Field(default_factory=dict)


class SelectionEvidence(BaseModel):
    """The evidence of a guarantee.

    Attributes:
        guard: Name of the artifact in the registry.
        unit: What these questions were drawn by: "picture", of each picture one at most, where several of the checked
            ones are about one; else "question", one by one.
        n: Questions with known truth that thresholds were tested on, those without a readable answer included; where
            the guarantee is that of a group, its questions, as are the figures below.
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
    unit: Literal["question", "picture"] = "question"
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
        n: Questions that the most unusual trait was compared with; of pictures, different ones.
        parts: The same by trait, each for itself: "picture" and "words"; where the reference was shown pictures of
            other kinds also "picture-kind", how like those the picture is, and "colour", its colour alone.
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
    "answer-contradicted",
    "calibration-alarm",
    "group-unproved",
]
"""Outcomes of a decision; group-unproved: the guarantee holds in groups, and of this question's nothing was proved; the
four before: promises are withheld (see `services.gateway.answering.promises`)."""


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
        groups: The group whose guarantee it is, such as {"modality": "CT"}: in it the share of errors is bounded, with
            delta for all groups together. Empty where the guarantee is over all questions, or there is none.
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
    groups: dict[str, str] = Field(default_factory=dict)


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


class ModelsUsed(BaseModel):
    """The models that answered.

    Attributes:
        policy: The policy version; None where none was asked.
        downstream: The downstream model.
        second_downstream: The second one, where its opinion counted for the confidence; else left out.
    """

    policy: str | None
    downstream: str
    second_downstream: str | None = Field(default=None, exclude_if=lambda name: name is None)


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
    "second-look",
    "encoder",
    "calibrator",
    "calibration-alarm",
]
"""Things that an answer can be without."""


class VqaReply(BaseModel):
    """The reply of POST /vqa.

    Attributes:
        id: Unique to this answer.
        statement: What came of the question, for people: the answer with its calibrated confidence and its guarantee,
            or that a person should judge. It names no answer that is not given, and nothing of the model's own words.
        answer: The answer; None where the question is left to a person.
        guess: What the model said of a question that is left to a person, or None: not to be relied on, and not to be
            shown unless a person asks for it.
        confidence: Of the answer or the guess; calibrated where calibration.calibrated says so, else as stated. None
            where the model's reply could not be read.
        calibration: Where the confidence comes from.
        decision: "answer", or "defer" to a person.
        decision_basis: Why.
        options: Letter -> text of the options that letters here mean, as they were read: from the request's field or
            the question's own lines. Empty for an open question.
        option_set: Options that hold the right one at a known rate, or None; of a question that is left to a person
            two or more, as one would be the guess.
        option_set_reason: Why there is none, where there is none.
        atypicality: How unlike the questions that its promises rest on this one is, or None.
        atypicality_reason: Why that is not known, where it is not.
        guidance_prompt: The calibration guidance prompt that was used, or None.
        explanation: The downstream model's text for people: its own numbers of confidence are left out, its words of
            certainty are marked as unchecked, as they need not agree with the calibrated confidence. None where the
            question is left to a person.
        guess_explanation: The same of a question that is left to a person, as little to be relied on as the guess.
            None where the answer is given.
        model_text: The downstream model's text as it came, for programs; None where the question is left to a person.
        guess_model_text: The same of a question that is left to a person; None where the answer is given.
        picture: The picture that the models saw.
        models: Who answered.
        degraded: What was done without: "policy", "calibrator", or what the model's server refuses: "logprobs",
            "decoding" (temperature, top_p or top_k), "system-message" (it went to the head of the question),
            "response-format", "seed"; "second-look" where the model did not reply to a further question about the
            answer, which is then that of a method that does without it; "encoder" where the method compares by a
            sentence encoder that is not installed; "calibration-alarm" where a calibrator no longer holds.
        timing_ms: How long it took.
        usage: Tokens that it took of both models.
        recorded: Whether the answer is kept, so that feedback on it can be; it says nothing of the answer's worth.
    """

    id: str
    statement: str
    answer: ChosenAnswer | None
    guess: ChosenAnswer | None = None
    confidence: Share | None
    calibration: Calibration
    decision: Literal["answer", "defer"]
    decision_basis: DecisionBasis
    options: dict[str, str] = Field(default_factory=dict)
    option_set: OptionSetReply | None = None
    option_set_reason: str | None = None
    atypicality: Atypicality | None = None
    atypicality_reason: str | None = None
    guidance_prompt: str | None
    explanation: str | None
    guess_explanation: str | None = None
    model_text: str | None
    guess_model_text: str | None = None
    picture: PictureSeen
    models: ModelsUsed
    degraded: list[Lack]
    timing_ms: Timing
    usage: AnswerUsage = Field(default_factory=AnswerUsage)
    recorded: bool = False

    @model_validator(mode="after")
    def _shows_no_answer_of_a_deferral(self) -> Self:
        # An app may read `answer` without looking at the decision.
        shown = (self.answer, self.explanation, self.model_text)
        names_one = self.option_set is not None and len(self.option_set.letters) < FEWEST_LEFT
        if self.decision == "defer" and (names_one or shown != (None, None, None)):
            raise ValueError("what a model said of a question that is left to a person may stand in its guess alone")
        return self
