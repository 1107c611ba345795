"""Errors about reviews.

UnknownReviewError   there is no such review
ReplacedAnswerError  a review is of an answer that another one has replaced
"""

from __future__ import annotations

from services.gateway.errors import GatewayError


class UnknownReviewError(GatewayError):
    """There is no review of such a number; nothing was changed."""


class ReplacedAnswerError(GatewayError):
    """A struck review is of an answer in whose place another stands now; nothing was changed."""
