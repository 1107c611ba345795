"""The last value of the pipeline: all that came of a query, and the reply that is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from prompt4trust.models import Cost
from prompt4trust.pictures import PreparedPicture
from prompt4trust.verdict import Invalid, Verdict, mark_self_assessments
from services.gateway.answering.calibration import Confidence
from services.gateway.answering.decision import Decided
from services.gateway.answering.familiarity import Familiarity
from services.gateway.answering.models import ModelAnswer
from services.gateway.intake.query import Query
from services.gateway.picture_schemas import DicomSeen, PictureSeen, PictureSource
from services.gateway.schemas import (
    FEWEST_LEFT,
    AnswerUsage,
    ChosenAnswer,
    Lack,
    ModelsUsed,
    Timing,
    VqaReply,
)
from services.gateway.statement import statement_of

WOULD_TELL: Final = "the set has fewer than two options: it would be the guess, and the question is left to a person"


@dataclass(frozen=True)  # without slots, which leave a cached property no place
class Answered:
    """An answered query: what each stage made of it.

    Attributes:
        query: The question.
        asked: What the models said.
        familiarity: How unlike the questions behind its promises it is.
        confidence: Its confidence.
        decided: What is done with the answer.
        total_s: Seconds from the request's body to the decision.
        at: When it was decided.
        grounds: What the reply rests on beside question and models, from `grounds_of`; None where it is not kept.
    """

    query: Query
    asked: ModelAnswer
    familiarity: Familiarity
    confidence: Confidence
    decided: Decided
    total_s: float
    at: datetime
    grounds: str | None = None

    @property
    def chosen(self) -> ChosenAnswer | None:
        """The option or text that the model chose, or None without a verdict."""
        return _chosen(self.asked.answer.verdict, self.query.ask.options)

    @property
    def guidance(self) -> str | None:
        """The guidance prompt that was used, or None."""
        return self.asked.answer.guidance.text if self.asked.answer.guidance else None

    @property
    def lacks(self) -> list[Lack]:
        """Everything that the answer is without."""
        return [*self.asked.lacks, *self.confidence.lacks]

    @property
    def timing(self) -> Timing:
        """Milliseconds by part."""
        return Timing(
            policy=_milliseconds(self.asked.policy_s),
            downstream=_milliseconds(self.asked.downstream_s),
            total=_milliseconds(self.total_s),
        )

    @cached_property
    def said(self) -> str:
        """The model's words, for a person: its own numbers of confidence left out, its words of certainty marked."""
        return mark_self_assessments(self.asked.answer.text, self.query.ask.options)

    def write_ahead(self) -> None:
        """Write the reply of an answer that is being recorded; whatever is wrong with it is told when it is wanted."""
        with suppress(Exception):
            self._recorded  # noqa: B018 - kept from now on

    def reply(self, *, recorded: bool) -> VqaReply:
        """Put it as the client gets it."""
        return self._recorded if recorded else self._reply(recorded=False)

    @cached_property
    def _recorded(self) -> VqaReply:
        return self._reply(recorded=True)

    def _reply(self, *, recorded: bool) -> VqaReply:
        decision, chosen = self.decided.decision, self.chosen
        given = decision == "answer" and chosen is not None
        options = self.decided.option_set
        would_tell = not given and options is not None and len(options.letters) < FEWEST_LEFT
        return VqaReply(
            id=self.query.id,
            statement=statement_of(
                decision, chosen, self.confidence.value, self.confidence.calibration, self.decided.basis
            ),
            answer=chosen if given else None,
            guess=None if given else chosen,
            confidence=self.confidence.value,
            calibration=self.confidence.calibration,
            decision=decision,
            decision_basis=self.decided.basis,
            options=self.query.ask.options,
            option_set=None if would_tell else options,
            option_set_reason=WOULD_TELL if would_tell else self.decided.option_set_reason,
            atypicality=self.familiarity.atypicality,
            atypicality_reason=self.familiarity.unknown,
            guidance_prompt=self.guidance,
            explanation=self.said if given else None,
            guess_explanation=None if given else self.said,
            model_text=self.asked.answer.text if given else None,
            guess_model_text=None if given else self.asked.answer.text,
            picture=picture_seen(self.query.picture),
            models=ModelsUsed(
                policy=self.asked.key.policy,
                downstream=self.asked.key.downstream,
                second_downstream=self.asked.second,
            ),
            degraded=self.lacks,
            timing_ms=self.timing,
            usage=_usage(self.asked.answer.cost),
            recorded=recorded,
        )


def picture_seen(picture: PreparedPicture) -> PictureSeen:
    """Describe a picture as the models see it."""
    origin = picture.origin
    width, height = origin.size
    return PictureSeen(
        source=PictureSource(format=origin.format, width=width, height=height),
        width=picture.width,
        height=picture.height,
        window=origin.window,
        scale=round(origin.scale, 4),
        dicom=None if origin.dicom is None else DicomSeen(**asdict(origin.dicom)),
    )


def _usage(cost: Cost) -> AnswerUsage:
    return AnswerUsage(calls=cost.calls, prompt_tokens=cost.prompt_tokens, completion_tokens=cost.completion_tokens)


def _chosen(verdict: Verdict | Invalid, options: Mapping[str, str]) -> ChosenAnswer | None:
    if isinstance(verdict, Invalid):
        return None
    if not options:
        return ChosenAnswer(letter=None, text=verdict.answer)
    return ChosenAnswer(letter=verdict.answer, text=options[verdict.answer])


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1e3, 1)
