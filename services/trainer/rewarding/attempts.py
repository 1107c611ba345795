"""Attempts to be rewarded, and their rewards, as `POST /v1/rewards` has them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from prompt4trust.questions import MAX_OPTIONS
from services.common.http.question_fields import OPTION_LETTER, plain_text, read_letter, read_options
from services.trainer.grpo.config.reward_setting import RewardSetting
from services.trainer.section import Section

MAX_ATTEMPTS = 128
MAX_QUESTION, MAX_OPTION, MAX_GUIDANCE, MAX_REPLY, MAX_PATH = 4_000, 500, 8_000, 32_000, 512

_OptionText = Annotated[str, Field(min_length=1, max_length=MAX_OPTION)]
_Options = Annotated[
    dict[str, str],
    BeforeValidator(
        lambda options: read_options(options, limit=MAX_OPTION),
        json_schema_input_type=Annotated[list[_OptionText], Field(min_length=2, max_length=MAX_OPTIONS)]
        | Annotated[
            dict[str, _OptionText],
            Field(
                min_length=2, max_length=MAX_OPTIONS, json_schema_extra={"propertyNames": {"pattern": OPTION_LETTER}}
            ),
        ],
    ),
]


def _plain_question(text: str) -> str:
    return plain_text(text, what="the question", limit=MAX_QUESTION)


class Attempt(Section):
    """A question with what is to be rewarded: the downstream model's reply, or guidance for which it is asked.

    Attributes:
        question: The question.
        options: 2 to 26 texts, lettered A, B, C, ... in order, or an object letter -> text.
        truth: The right option's letter.
        guidance: Guidance prompt that the model is shown; none asks without.
        reply: The model's reply. It is read as the service reads its own model's.
        image: Picture's path below the service's data directory, for which the model is asked now.
        cut_off: The reply ended because it was too long.
    """

    question: Annotated[
        str,
        AfterValidator(_plain_question),
        Field(json_schema_extra={"minLength": 1, "maxLength": MAX_QUESTION}),
    ]
    options: _Options
    truth: Annotated[str, Field(max_length=16, pattern=OPTION_LETTER)]
    guidance: Annotated[str, Field(max_length=MAX_GUIDANCE)] | None = None
    reply: Annotated[str, Field(max_length=MAX_REPLY)] | None = None
    image: Annotated[str, Field(min_length=1, max_length=MAX_PATH)] | None = None
    cut_off: bool = False

    @model_validator(mode="after")
    def _is_one_attempt(self) -> Self:
        if (self.reply is None) == (self.image is None):
            raise ValueError("give either reply, which is read, or image, for which the model is asked")
        if self.cut_off and self.reply is None:
            raise ValueError("cut_off says something of a reply, and there is none")
        if len(self.options) < 2:
            raise ValueError("a reward needs a question with options")
        if self.letter not in self.options:
            raise ValueError(f"truth is none of the options {', '.join(self.options)}")
        return self

    @property
    def letter(self) -> str:
        """The right option's letter, as the options have it."""
        return read_letter(self.truth) or ""


class RewardRequest(Section):
    """Attempts to be rewarded.

    Attributes:
        reward: A proper score by its name, or weights by name for a sum.
        attempts: The attempts.
    """

    reward: RewardSetting = "log_score"
    attempts: Annotated[list[Attempt], Field(min_length=1, max_length=MAX_ATTEMPTS)]


class RewardedAttempt(BaseModel):
    """The outcome of an attempt.

    Attributes:
        reward: Its reward; null where the model could not be asked: leave the attempt out of the update.
        parts: Each score that the reward is made of, without its weight; empty without a reward.
        correct: Whether the answer is right; null without a verdict.
        answer: The letter that was read.
        confidence: The stated confidence, in [0, 1].
        invalid: Reason why the reply holds no verdict.
        lost: Reason why the model could not be asked.
    """

    # What all weights at their largest come to, of an invalid reply and of a right one.
    reward: float | None = Field(ge=-32_000, le=3_000)
    parts: dict[str, float]
    correct: bool | None = None
    answer: str | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    invalid: str | None = None
    lost: str | None = None


class RewardReply(BaseModel):
    """Rewards of a batch, in its order.

    Attributes:
        reward: The reward, in words.
        rewards: The rewards alone.
        attempts: The rewards with what they are made of.
    """

    reward: str
    rewards: list[float | None]
    attempts: list[RewardedAttempt]
