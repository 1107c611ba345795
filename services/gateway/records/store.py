"""The database of answers and of what people said of them."""

from __future__ import annotations

from datetime import datetime

from services.gateway.records.reviewed import ReviewedAnswer


class RecordStore:
    """Answers and feedback in SQLite or PostgreSQL."""

    async def reviewed(self, *, after: tuple[datetime, str] | None = None, limit: int = 1000) -> list[ReviewedAnswer]:
        """List reviewed answers in the order of their first feedback, each with its first verdict.

        Args:
            after: Only those later in the stream than this (reviewed_at, id); None for all.
            limit: Most that are given.
        """
        raise NotImplementedError

    async def reviewed_latest(self, limit: int) -> list[ReviewedAnswer]:
        """List the newest reviewed answers, at most `limit`, in the order of `reviewed`."""
        raise NotImplementedError
