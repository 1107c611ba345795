"""Requests and replies about single reviews."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from prompt4trust.calibration import CalibrationKey
from services.gateway.records.schemas import Comment, Who
from services.gateway.reviews.store import ReviewRow

MOST_STRUCK = 500
_LARGEST = 2**63 - 1
Number = Annotated[StrictInt, Field(ge=1, le=_LARGEST)]


class StrikeRequest(BaseModel):
    """Reviews to be taken out of the count, or to be put back.

    Attributes:
        who: The administrator, in at most 100 characters.
        reviews: Numbers of the reviews, 1 to 500.
        note: The reason, in at most 2 000 characters, or None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: Who
    reviews: Annotated[list[Number], Field(min_length=1, max_length=MOST_STRUCK)]
    note: Comment | None = None


class StrikeReply(BaseModel):
    """A strike of a review, by an administrator.

    Attributes:
        at: When.
        who: By whom.
        note: The reason, or None.
    """

    at: datetime
    who: str
    note: str | None


class ReviewReply(BaseModel):
    """A review of an answer, and whether it counts.

    Attributes:
        number: The number by which it can be struck.
        answer_id: The answer's id.
        at: When it came.
        who: Who said it, in their own words.
        key_name: Name of the API key that it came by; None where there are no keys.
        right: Whether the answer was right, by this review.
        correct_option: Letter of the right option, where it was named.
        comment: A remark, or None.
        confidence: The answer's confidence, or None.
        decision: Whether the answer was given or left to a person.
        pair: What the answer's confidence belongs to.
        answered_at: When it was answered.
        strike: The strike that took it out of the count, or None.
    """

    number: Annotated[int, Field(ge=1, le=_LARGEST)]
    answer_id: str
    at: datetime
    who: str
    key_name: str | None
    right: bool
    correct_option: str | None
    comment: str | None
    confidence: Annotated[float, Field(ge=0, le=1)] | None
    decision: Literal["answer", "defer"]
    pair: CalibrationKey
    answered_at: datetime
    strike: StrikeReply | None

    @classmethod
    def of(cls, row: ReviewRow) -> Self:
        """Make the reply of a row."""
        return cls.model_validate(row, from_attributes=True)


class ReviewPage(BaseModel):
    """Reviews, the newest first.

    Attributes:
        reviews: The reviews.
        next_before: Value of `before` that asks for older ones; None where there are none.
    """

    reviews: list[ReviewReply]
    next_before: Annotated[int, Field(ge=1, le=_LARGEST)] | None

    @classmethod
    def of(cls, rows: list[ReviewRow], limit: int) -> Self:
        """Make a page of at most so many rows."""
        return cls(reviews=list(map(ReviewReply.of, rows)), next_before=rows[-1].number if len(rows) == limit else None)
