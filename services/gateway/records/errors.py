"""Errors of the records.

    RecordsError
    ├── RecordsAwayError        the database is away or too slow; later it may work
    ├── RecordRefusedError      the database never takes this record
    ├── UnknownAnswerError      there is no record of such an answer
    ├── OtherQuestionError      the id belongs to an answer to another question
    ├── ReviewedError           the id belongs to an answer that was reviewed
    ├── FeedbackRefusedError    feedback does not fit its answer
    ├── FeedbackFullError       an answer has as much feedback as is kept
    └── HashSecretError         the secret of the hashes is missing or none

The tables' versions have two errors of their own, in `migrations.upgrading`.
"""

from __future__ import annotations

from services.gateway.errors import GatewayError


class RecordsError(GatewayError):
    """The records cannot do what was asked of them."""


class RecordsAwayError(RecordsError):
    """The database cannot be reached, or is too slow; what was asked of it may work later."""


class RecordRefusedError(RecordsError):
    """The database does not take a record, and never will."""


class UnknownAnswerError(RecordsError):
    """There is no record of such an answer."""


class OtherQuestionError(RecordsError):
    """An answer of that id is there already, to another question."""


class ReviewedError(RecordsError):
    """An answer of that id is there already, and somebody has said whether it was right."""


class FeedbackRefusedError(RecordsError):
    """Feedback does not fit its answer; the message says why."""


class FeedbackFullError(RecordsError):
    """An answer has as much feedback as is kept."""


class HashSecretError(RecordsError):
    """The secret of the hashes is missing, or is none."""
