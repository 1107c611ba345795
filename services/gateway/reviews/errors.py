"""Errors about reviews.

UnknownReviewError  there is no such review
"""

from __future__ import annotations

from services.gateway.errors import GatewayError


class UnknownReviewError(GatewayError):
    """There is no review of such a number; nothing was changed."""
