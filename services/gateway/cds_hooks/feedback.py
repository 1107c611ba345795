"""Feedback on cards becomes reviews, which monitoring and refits live on."""

from __future__ import annotations

from services.gateway.cds_hooks.cards import WRONG, agreement_id, right_option
from services.gateway.cds_hooks.schemas import CardOutcome
from services.gateway.records.entities import Review
from services.gateway.records.errors import FeedbackRefusedError
from services.gateway.records.schemas import MAX_WHO


def review_of(outcome: CardOutcome, *, given: bool, who: str, key_name: str | None) -> Review | None:
    """Make the review that the fate of a card is.

    A card that is set aside without a reason, or as not relevant, says nothing of whether its answer was right: many
    are set aside unread. Taken for wrong, they would raise alarms; taken for right, hide what should raise one.

    Args:
        outcome: The fate.
        given: Whether the card showed an answer.
        who: Who says it.
        key_name: Name of the key or token that it came by.

    Returns:
        The review; None where it says neither right nor wrong.

    Raises:
        FeedbackRefusedError: If it speaks of an answer that the card did not show, or of another suggestion.
    """
    named = who[:MAX_WHO]
    if outcome.outcome == "accepted":
        taken = {each.id.lower() for each in outcome.accepted_suggestions or ()}
        if taken != {agreement_id(outcome.card)} or not given:
            raise FeedbackRefusedError("acceptedSuggestions must name the card's own suggestion, which it had.")
        return Review(named, None, None, right=True, key_name=key_name)
    reason = outcome.override_reason
    code = reason.reason.code if reason is not None and reason.reason is not None else ""
    comment = reason.user_comment if reason is not None else None
    if (letter := right_option(code)) is not None:
        return Review(named, comment, letter, None, key_name)
    if code != WRONG:
        return None
    if not given:
        raise FeedbackRefusedError("The card showed no answer that could be wrong: name the right option.")
    return Review(named, comment, None, right=False, key_name=key_name)
