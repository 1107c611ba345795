"""Words for people agree with the number and the decision: drawn replies are read by another reader.

A thousand in `make test`, five thousand by `make test-reports`: REPLIES says how many.
"""

from __future__ import annotations

import os
import random
import re
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from prompt4trust.estimators.base import Answer
from prompt4trust.pictures import PictureLimits, prepare_picture
from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from services.gateway.answering.calibration import Confidence
from services.gateway.answering.decision import Decided
from services.gateway.answering.familiarity import Familiarity
from services.gateway.answering.models import ModelAnswer
from services.gateway.answering.reply import Answered
from services.gateway.answering.rules import decide_by_threshold
from services.gateway.chat.wording import in_words
from services.gateway.intake.query import Query
from services.gateway.question_schemas import Ask
from services.gateway.schemas import Calibration, VqaReply
from tests.prompt4trust.verdict.certainty_checker import claims_in
from tests.prompt4trust.verdict.test_corpus import CORPUS
from tests.services.gateway.conftest import picture
from tests.support.calibration_keys import whole_key

REPLIES = int(os.environ.get("REPLIES", "1000"))
AROUND = (
    "{}",
    "This is clearly the case. {}",
    "{} I am absolutely certain.",
    "{} There is no doubt, it must be so.",
    "It could perhaps be something else, but I believe this. {}",
    "I'd put it at 97%. {}",
    "{}\nOverall certainty: ninety per cent.",
    "A 70% stenosis is seen, possibly old. {}",
)
PICTURE = prepare_picture(picture(), PictureLimits())


def answered(draw: random.Random) -> Answered:
    """A question as the pipeline has it at its end: a reply of the corpus in other words, any number, any decision."""
    case = draw.choice(CORPUS["cases"])
    options = CORPUS["options"][case.get("options", "chest")]
    text = draw.choice(AROUND).format(case["reply"])
    ask = Ask.model_validate({"question": "Which?", "options": options, "method": "cgp"}, context={"methods": ("cgp",)})
    verdict = parse_verdict(case["reply"], ask.options)
    calibrated = isinstance(verdict, Verdict) and draw.random() < 0.8
    value = round(draw.choice((draw.random(), draw.random(), 0.0, 0.005, 0.995, 1.0)), 4) if calibrated else None
    decision, basis = decide_by_threshold(
        value,
        max_risk=draw.choice((None, 0.1, 0.5, 0.9)),
        threshold=draw.random(),
        why_not="no calibrator fits",
        has_verdict=isinstance(verdict, Verdict),
    )
    if draw.random() < 0.3 and isinstance(verdict, Verdict):
        # A rule with a proof may look at the confidence as it was stated, and give what is not calibrated.
        basis = basis.model_copy(update={"guarantee": basis.max_risk is not None, "rule": "risk-control"})
        decision = draw.choice(("answer", "defer"))
    stated = verdict.confidence if isinstance(verdict, Verdict) else None
    confidence = Confidence(
        value if calibrated else stated,
        Calibration(calibrated=calibrated, stated_confidence=stated, reason="none fits"),
    )
    key = whole_key(downstream="d-1", policy=None, estimator="verbalized", answer_template="answer-compact@1")
    return Answered(
        query=Query(ask, PICTURE, cast(Any, None), "id", False, None, 0.0),
        asked=ModelAnswer(Answer(verdict, text, "verbalized"), key, (), 0.0, 0.0),
        familiarity=Familiarity(None),
        confidence=confidence,
        decided=Decided(decision, basis, None, None),
        total_s=0.1,
        at=datetime(2026, 11, 30, tzinfo=UTC),
    )


def contradictions(made: Answered, reply: VqaReply) -> list[str]:
    """All that the words for people say against the decision and the number."""
    found = []
    given = reply.decision == "answer" and reply.answer is not None
    for shown in (reply.explanation, reply.guess_explanation):
        found += [f"claim: {claim}" for claim in claims_in(shown or "")]
        if shown and isinstance(parse_verdict(shown, made.query.ask.options), Verdict):
            found.append("a verdict with a confidence can be read from the explanation")
    for words in (reply.statement, in_words(reply)):
        named = [text for text in made.query.ask.options.values() if not text.isdigit() and text in words]
        right = [int(count) for count in re.findall(r"(?:about|than) (\d+) w(?:as|ere) right", words)]
        if not given:
            if named or right or "right" in words or reply.explanation is not None:
                found.append("a deferral says an answer")
            continue
        assert reply.answer is not None
        if reply.answer.text not in words:
            found.append("the answer is not said")
        if reply.calibration.calibrated:
            assert reply.confidence is not None
            if len(right) != 1 or abs(right[0] - 100 * reply.confidence) > 1:
                found.append(f"{right} for {reply.confidence}")
            if ("More often wrong" in words) != (reply.confidence < 0.5):
                found.append("wrong or right more often?")
        elif right or "not calibrated" not in words:
            found.append("an uncalibrated number is called right")
        if ("Guarantee:" in words) != reply.decision_basis.guarantee:
            found.append("guarantee")
    if (reply.model_text if given else reply.guess_model_text) != made.asked.answer.text:
        found.append("the text as it came is lost")
    return found


def test_in_no_reply_words_contradict() -> None:
    draw = random.Random(20261130)
    decisions, calibrated, wrong = {"answer": 0, "defer": 0}, 0, []
    for _ in range(REPLIES):
        made = answered(draw)
        reply = made.reply(recorded=True)
        decisions[reply.decision] += 1
        calibrated += reply.calibration.calibrated
        if found := contradictions(made, reply):
            wrong.append((found, reply.statement, reply.explanation or reply.guess_explanation))
    assert wrong == []
    assert min(decisions.values()) > REPLIES / 4
    assert calibrated > REPLIES / 4


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"explanation": "Clearly B."}, "claim: clearly"),
        ({"explanation": "The answer is B with confidence 95."}, "a verdict with a confidence"),
        ({"statement": "B (Oval). Of 100 answers like this one about 95 were right. No guarantee."}, "[95] for"),
    ],
)
def test_words_that_contradict_are_seen(change: dict[str, str], fault: str) -> None:
    draw = random.Random(1)
    made = next(each for each in iter(lambda: answered(draw), None) if _is_plain(each))
    reply = made.reply(recorded=True)
    assert contradictions(made, reply) == []
    assert any(fault in found for found in contradictions(made, reply.model_copy(update=change)))


def _is_plain(made: Answered) -> bool:
    return (
        made.decided.decision == "answer"
        and made.confidence.calibration.calibrated
        and (made.confidence.value or 1) < 0.9
        and not isinstance(made.asked.answer.verdict, Invalid)
        and made.query.ask.options.get("B") is not None
    )
