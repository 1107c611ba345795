"""The words of question and answer, as far as the live calibrator has weights for them."""

from __future__ import annotations

from prompt4trust.estimators.base import Answer
from prompt4trust.question_signals.words import known_words, word_signals
from prompt4trust.verdict import Verdict
from services.gateway.intake.query import Query
from services.gateway.shelves.evidence import Evidence


def told_words(query: Query, answer: Answer, evidence: Evidence) -> dict[str, float]:
    """Describe the words of a question and its answer as signals.

    Of others than the calibrator's nothing is told. Words share 256 numbers, so that a number that is kept may be that
    of a rare word, such as a name, but as well that of many others. A refit on feedback can give these very words other
    weights, where all of it comes from calibrators that know the same ones.

    Args:
        query: The question.
        answer: The models' answer to it.
        evidence: What promises about the answer rest on.

    Returns:
        The signals (see `prompt4trust.question_signals.words`); none where no calibrator has weights for words.
    """
    known = () if evidence.calibrator is None else evidence.calibrator.words
    if not known:
        return {}
    return known_words(word_signals(query.ask.question, chosen_text(query, answer)), known)


def chosen_text(query: Query, answer: Answer) -> str | None:
    """Find the chosen option's text; None without a verdict or options."""
    return query.ask.options.get(answer.verdict.answer) if isinstance(answer.verdict, Verdict) else None
