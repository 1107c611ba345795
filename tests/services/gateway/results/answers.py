"""Answers of all kinds, put together by the gateway's own reply code from evidence that is drawn at random."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from prompt4trust.estimators.base import Answer
from prompt4trust.models import Cost, Guidance
from prompt4trust.pictures import PictureOrigin, PreparedPicture
from prompt4trust.pictures.dicom import DicomSource
from prompt4trust.verdict import Invalid, Verdict
from services.gateway.answering.calibration import Confidence
from services.gateway.answering.decision import Decided
from services.gateway.answering.familiarity import Familiarity
from services.gateway.answering.models import ModelAnswer
from services.gateway.answering.reply import Answered
from services.gateway.intake.query import Query
from services.gateway.question_schemas import Ask
from services.gateway.results.result import AnswerResult, result_of
from services.gateway.schemas import Calibration, DecisionBasis, FittedOn, Lack, OptionSetReply
from tests.services.gateway.answering.test_shift import There
from tests.support.calibration_keys import whole_key

COUNT = int(os.environ.get("TRUSTVQA_TEST_REPORTS", "40"))
"""How many answers are written as bundles and reports; `make test-reports` takes 1000."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_KINDS = frozenset(
    {
        (False, False, False, False, False),
        (False, False, False, False, True),
        (False, False, False, True, True),
        (True, False, False, False, False),
        (True, False, False, False, True),
        (True, False, False, True, True),
        *((True, True, has_interval, has_set, True) for has_interval in (False, True) for has_set in (False, True)),
    }
)
_CHARACTERS = "abc déf ñ ß 肺 結節 \U0001f9e0 <>&\"'\\|^~=; 0.5 % Ω"
_WITHHELD = ("atypical-input", "atypicality-unknown", "answer-contradicted", "calibration-alarm")


def source(**changes: Any) -> DicomSource:
    """A slice of a CT."""
    fields: dict[str, Any] = {
        "study_uid": "1.2.826.0.1.3680043.8.1",
        "series_uid": "1.2.826.0.1.3680043.8.2",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "sop_instance_uid": "1.2.826.0.1.3680043.8.3",
        "modality": "CT",
        "body_part": "CHEST",
        "frame": 1,
        "frames": 1,
        "window_center": 40.0,
        "window_width": 400.0,
        "window_name": None,
        "window_from": "file",
        "has_overlays": False,
    }
    return DicomSource(**{**fields, **changes})


def answers(count: int, seed: int = 5) -> Iterator[Answered]:
    """Answers of all kinds."""
    draw = random.Random(seed)
    for _ in range(count):
        yield _answer(draw)


@cache
def results() -> Sequence[tuple[Answered, AnswerResult]]:
    """COUNT answers with their results, among which is every kind of answer that there is."""
    found = [(answered, result_of(answered)) for answered in answers(COUNT)]
    missing = _KINDS - {kind_of(result) for _, result in found}
    assert not missing, missing
    return found


def kind_of(result: AnswerResult) -> tuple[bool, bool, bool, bool, bool]:
    """The kind of a result: all that decides on which parts a bundle or a report has."""
    return (
        result.answer is not None,
        result.confidence is not None,
        result.interval is not None,
        result.option_set is not None,
        bool(result.options),
    )


def _text(draw: random.Random, longest: int) -> str:
    found = "".join(draw.choices(_CHARACTERS, k=draw.choice([1, 5, 20, longest]))).strip()
    return found or "a"


def _uid(draw: random.Random) -> str:
    return f"2.25.{draw.getrandbits(120)}"


def _answer(draw: random.Random) -> Answered:
    count = draw.choice([0, 2, 3, 4, 26])
    options = {letter: f"{index} {_text(draw, 450)}" for index, letter in enumerate(_LETTERS[:count])}
    ask = Ask.model_validate({"question": f"q {_text(draw, 3_900)}", "options": options, "method": "cgp"})
    has_verdict = draw.random() < 0.9
    stated = round(draw.random(), 2)
    chosen = draw.choice(list(options)) if options else _text(draw, 300)
    verdict = Verdict(chosen, stated) if has_verdict else Invalid("no_answer")
    is_calibrated = has_verdict and bool(options) and draw.random() < 0.7
    confidence = _confidence(draw, stated, has_verdict=has_verdict, is_calibrated=is_calibrated)
    policy = draw.choice([None, "policy-mini-grpo-1"])
    key = whole_key(downstream="m/ödel-1", policy=policy, estimator="cgp", answer_template="answer-compact@1")
    guidance = None if policy is None else Guidance("Weigh the border.", policy, Cost())
    model = Answer(verdict, f"The answer is {chosen} with confidence 87.", "cgp", guidance)
    lacks: tuple[Lack, ...] = ("logprobs",) if draw.random() < 0.3 else ()
    asked = ModelAnswer(model, key, lacks, 0.1, 0.2)
    frames = draw.choice([1, 1, 30])
    where = source(
        study_uid=_uid(draw),
        series_uid=_uid(draw),
        sop_instance_uid=_uid(draw),
        frame=draw.randint(1, frames),
        frames=frames,
        sop_class_uid=f"1.2.840.10008.5.1.4.1.1.2{'.1' if frames > 1 else ''}",  # CT, or Enhanced CT
    )
    picture = PreparedPicture(b"", "image/png", "0" * 64, 40, 30, PictureOrigin("DICOM", (40, 30), None, 1.0, where))
    return Answered(
        query=Query(ask, picture, There({}), str(uuid.UUID(int=draw.getrandbits(128), version=4)), False, None, 0.0),
        asked=asked,
        familiarity=Familiarity(None),
        confidence=confidence,
        decided=_decided(draw, options, has_verdict=has_verdict, is_calibrated=is_calibrated),
        total_s=0.4,
        at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(microseconds=draw.randrange(10**13)),
    )


def _confidence(draw: random.Random, stated: float, *, has_verdict: bool, is_calibrated: bool) -> Confidence:
    if not is_calibrated:
        kept = Calibration(calibrated=False, stated_confidence=stated if has_verdict else None, reason="none fits")
        return Confidence(stated if has_verdict else None, kept)
    value = round(draw.random(), 4)
    interval = (round(value / 2, 4), round((1 + value) / 2, 4)) if draw.random() < 0.5 else None
    fitted = FittedOn(n=3000, dataset="calibration", ece=0.01, date="2026-01-01")
    calibration = Calibration(
        calibrated=True, calibrator="platt-cgp", stated_confidence=stated, interval=interval, fitted_on=fitted
    )
    return Confidence(value, calibration)


def _decided(draw: random.Random, options: dict[str, str], *, has_verdict: bool, is_calibrated: bool) -> Decided:
    answers = has_verdict and draw.random() < 0.6
    code = "confident-enough" if answers else draw.choice(["not-confident-enough", *_WITHHELD])
    basis = DecisionBasis(
        rule="risk-control",
        threshold=0.6,
        scale="calibrated" if is_calibrated else "stated",
        source="default",
        max_risk=draw.choice([None, 0.1]),
        guarantee=True,
        code=code if has_verdict else "no-verdict",
        reason="The stated confidence 0.87 is 87 % and no more than that.",
    )
    letters = draw.sample(list(options), draw.randint(1, len(options))) if options and draw.random() < 0.5 else []
    chosen = OptionSetReply(letters=letters, coverage=0.9, groups={}, n=3000, reason="r") if letters else None
    return Decided("answer" if answers else "defer", basis, chosen, None if chosen else "none")
