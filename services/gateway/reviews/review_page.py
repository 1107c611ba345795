"""The page at /reviews: who said what, and which reviews to strike, for administrators."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.gateway.reviews.schemas import ReviewPage, ReviewReply
from trustvqa.reports.rendering import render

_TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class ReviewView:
    """A review in words; `struck` says by whom it was, or is ""."""

    number: int
    at: str
    who: str
    said: str
    comment: str
    answer: str
    struck: str


@dataclass(frozen=True, slots=True)
class ReviewsPage:
    """View model of reviews.html; `older` is the address of older reviews, or ""."""

    title: str
    reviews: list[ReviewView]
    older: str
    administers: bool = True


def render_reviews(page: ReviewPage) -> str:
    """Write a page of reviews as HTML."""
    older = f"/reviews?before={page.next_before}" if page.next_before is not None else ""
    return render("reviews.html", ReviewsPage("Who said what", list(map(_view, page.reviews)), older), _TEMPLATES)


def _view(review: ReviewReply) -> ReviewView:
    named = f" ({review.correct_option} was)" if review.correct_option else ""
    strike = review.strike
    given = "given" if review.decision == "answer" else "deferred"
    confidence = "" if review.confidence is None else f", confidence {review.confidence:.3g}"
    note = f": {strike.note}" if strike is not None and strike.note else ""
    return ReviewView(
        number=review.number,
        at=f"{review.at:%Y-%m-%d %H:%M} UTC",
        who=review.who + (f" (key {review.key_name})" if review.key_name else ""),
        said=f"{'right' if review.right else 'wrong'}{named}",
        comment=review.comment or "",
        answer=f"{review.answer_id[:8]}, {given}{confidence}",
        struck="" if strike is None else f"by {strike.who}, {strike.at:%Y-%m-%d %H:%M} UTC{note}",
    )
