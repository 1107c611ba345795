"""Observing the stream of reviews: the same everywhere, in bounded room, with one budget of false alarms."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from prompt4trust.meaning import DEFAULT_JUDGE, open_wording
from prompt4trust.metrics import expected_calibration_error
from prompt4trust.monitoring import SequentialTest
from services.gateway.monitoring.observer import Observer, Watching
from services.gateway.monitoring.report import make_report
from services.gateway.monitoring.watched_stream import Acknowledgement
from services.gateway.monitoring.window import MOST_VALUES, OTHER, Day, WindowRow, slices
from services.gateway.records.reviewed_answer import ReviewedAnswer
from tests.services.gateway.monitoring.streams import BEGIN, FIT, OTHER_PAIR, PAIR, reviewed, stream

LATER = BEGIN + timedelta(days=300)


def error_of(answers: Sequence[ReviewedAnswer]) -> float:
    confidence = np.array([each.confidence for each in answers], dtype=np.float64)
    return expected_calibration_error(confidence, [each.correct for each in answers])


def test_parts_of_a_stream_and_restarts_come_to_the_same_as_the_whole() -> None:
    answers = stream(120) + stream(120, begin=120, off=-0.3, seed=1) + stream(20, begin=240, seed=2, key=OTHER_PAIR)
    whole = Observer(Watching())
    whole.learn("calibrator", PAIR, FIT)
    raised = whole.see(answers)
    parts, found = Observer(Watching()), []
    parts.learn("calibrator", PAIR, FIT)
    for first in range(0, len(answers), 37):
        found += parts.see(answers[first : first + 37])
        parts = Observer.restore(json.loads(json.dumps(parts.state(), allow_nan=False)), Watching())
    assert json.dumps(parts.state()) == json.dumps(whole.state())
    assert found == raised
    assert len(raised) == 1
    assert 120 < raised[0].crossing.answer <= 240
    assert raised[0].at == answers[raised[0].crossing.answer - 1].reviewed_at
    assert parts.alarms() == {FIT.stream_key("calibrator", PAIR): raised[0]}
    assert "no longer holds (" in raised[0].message


def test_a_state_of_other_settings_or_of_something_else_is_refused() -> None:
    state = Observer(Watching()).state()
    for watching in (Watching(tolerance=0.01), Watching(window=100), Watching(groups=("ward",))):
        with pytest.raises(ValueError, match="other settings"):
            Observer.restore(state, watching)
    with pytest.raises(ValueError, match="format"):
        Observer.restore({**state, "format": 0}, Watching())
    with pytest.raises(KeyError):
        Observer.restore({"format": 1}, Watching())


def test_streams_share_one_budget_and_a_new_calibrator_is_a_new_stream() -> None:
    watching = Watching(alpha=0.05)
    assert sum(watching.share(number) for number in range(1, 10_000)) == pytest.approx(0.05, rel=1e-3)
    observer = Observer(watching)
    observer.see(stream(10))
    observer.see(stream(10, begin=10, calibrator="platt-2"))
    observer.see(stream(10, begin=20, calibrator="platt-1", key=OTHER_PAIR))
    observer.see(stream(10, begin=30))
    assert [(each.name, each.number, each.test.n) for each in observer.watches] == [
        ("platt-cgp", 1, 20),
        ("platt-2", 2, 10),
        ("platt-1", 3, 10),
    ]
    assert [each.test.alpha for each in observer.watches] == pytest.approx([0.025, 0.05 / 6, 0.05 / 12])


def test_an_acknowledged_alarm_ends_and_its_stream_begins_anew_wherever_it_is_read() -> None:
    bad, after = stream(150, off=-0.3), stream(50, begin=200, seed=4)
    live = Observer(Watching())
    live.learn("calibrator", PAIR, FIT)
    (alarm,) = live.see(bad)
    word = Acknowledgement(alarm.id, BEGIN + timedelta(minutes=199), "Dr. A", "a new scanner")
    assert live.acknowledge([word])
    live.settle()
    assert not live.acknowledge([word])
    assert live.alarms() == {}
    live.see(after)
    # Another gateway reads all of it at once, later.
    other = Observer(Watching())
    other.learn("calibrator", PAIR, FIT)
    other.acknowledge([word])
    other.see(bad + after)
    other.settle()
    assert json.dumps(other.state()) == json.dumps(live.state())
    first, second = live.watches
    assert (first.test.n, first.acknowledged, second.test.n, second.round) == (150, word, 50, 1)
    assert first.id != second.id
    # What is said of an alarm that there is not changes nothing.
    live.acknowledge([replace(word, alarm="nothing", at=LATER)])
    live.settle()
    assert [each.test.n for each in live.watches] == [150, 50]


def test_only_calibrated_confidence_is_tested_and_everything_is_counted() -> None:
    observer = Observer(Watching())
    observer.see(stream(100, calibrator=None, off=-0.3))
    observer.see([reviewed(200, None, False, calibrator=None)])
    assert observer.watches == []
    report = make_report(observer, lambda watch: True, LATER)
    assert report.figures is not None
    assert (report.reviewed, report.figures.reviewed, report.figures.calibrated) == (101, 101, 0)
    assert report.figures.ece.value is None
    assert report.figures.selective_risk.value is not None
    assert report.reliability == ()
    assert report.streams == []


def test_figures_are_of_the_newest_answers_in_all_and_by_what_is_known() -> None:
    answers = stream(700)
    observer = Observer(Watching(window=200))
    observer.see(answers)
    report = make_report(observer, lambda watch: watch.key == PAIR, LATER)
    newest = answers[-200:]
    ece = error_of(newest)
    assert report.figures is not None
    assert report.figures.ece.value == pytest.approx(ece, abs=1e-6)
    assert (report.status, report.reviewed, report.figures.reviewed) == ("watching", 700, 200)
    assert set(report.by) == {"pair", "modality"}  # nobody asked for figures by ward
    assert {each.value for each in report.by["modality"]} == {"CT", "MRI"}
    assert sum(each.figures.reviewed for each in report.by["modality"]) == 200
    coverage, risk = report.risk_coverage[-1]
    assert (coverage, risk) == pytest.approx((1.0, 1 - sum(each.correct for each in newest) / 200))
    assert sum(each.n for each in report.reliability) == 200
    (live,) = report.streams
    assert live.live
    assert (live.n, live.figures.reviewed) == (700, 200)
    assert live.limit == pytest.approx(math.log(2 / 0.05), abs=1e-4)
    assert len(live.history) == 70
    assert live.history[-1]["ece"] == pytest.approx(ece, abs=1e-6)
    assert sum(day["reviewed"] for day in report.days) == 700
    json.loads(report.model_dump_json())


def test_another_calibrator_of_the_same_name_is_a_new_stream_for_the_answers_that_it_gave() -> None:
    observer = Observer(Watching())
    observer.learn("calibrator", PAIR, FIT)
    (alarm,) = observer.see(stream(150, off=-0.3))
    assert observer.alarms() == {FIT.stream_key("calibrator", PAIR): alarm}
    refit = replace(FIT, fitted=BEGIN + timedelta(minutes=200))
    observer.learn("calibrator", PAIR, refit)
    observer = Observer.restore(observer.state(), Watching())
    assert refit.stream_key("calibrator", PAIR) not in observer.alarms()
    late = [replace(each, at=BEGIN) for each in stream(10, begin=300)]  # given before, reviewed later
    observer.see(late + stream(30, begin=320))
    assert [(each.fitted, each.test.n) for each in observer.watches] == [(FIT.fitted, 160), (refit.fitted, 30)]


def test_a_promised_share_of_errors_is_a_stream_of_its_own() -> None:
    def promised(begin: int, right: float, **changes: Any) -> list[ReviewedAnswer]:
        rng = np.random.default_rng(begin)
        given = {"calibrator": None, "decision": "answer", "max_risk": 0.1, "guard": "guard-1", **changes}
        return [reviewed(begin + place, 0.9, bool(rng.random() < right), **given) for place in range(250)]

    kept, fit = Observer(Watching()), replace(FIT, name="guard-1")
    kept.learn("guard", PAIR, fit)
    # What is promised is an upper limit, and nothing is promised of what is left to a person.
    assert kept.see(promised(0, 0.99) + promised(250, 0.1, decision="defer")) == []
    (watch,) = kept.watches
    assert (watch.kind, watch.name, watch.test.n) == ("guard", "guard-1", 250)
    (alarm,) = kept.see(promised(500, 0.7))
    assert kept.alarms() == {fit.stream_key("guard", PAIR): alarm}
    assert "where 0.10 at most was promised" in alarm.message
    # One answer may be under both kinds of promise.
    both = Observer(Watching())
    both.see(promised(0, 0.9, calibrator="platt-cgp"))
    assert [(each.kind, each.test.n, each.test.tolerance) for each in both.watches] == [
        ("calibrator", 250, 0.02),
        ("guard", 250, 0.0),
    ]
    assert json.dumps(Observer.restore(both.state(), Watching()).state()) == json.dumps(both.state())


def test_an_alarm_stands_only_while_its_calibrator_is_live() -> None:
    observer = Observer(Watching())
    observer.see(stream(150, off=-0.3))
    assert make_report(observer, lambda watch: True, LATER).status == "alarm"
    replaced = make_report(observer, lambda watch: False, LATER)
    assert replaced.status == "watching"
    assert replaced.streams[0].alarm is not None
    assert replaced.streams[0].alarm.state == "superseded"


def test_rare_values_are_together_and_rooms_are_bounded() -> None:
    rows = [WindowRow(0.5, True, True, {"ward": f"{place % 60}"}) for place in range(300)]
    rows += [WindowRow(0.5, True, True, {"ward": OTHER})] * 50 + [WindowRow(0.5, True, True, {})]
    found = [(value, len(part)) for _, value, part in slices(rows, ["ward"])]
    assert len(found) == MOST_VALUES
    assert found[-1] == (OTHER, 350 - 5 * (MOST_VALUES - 1))
    observer = Observer(Watching(window=50))
    for place in range(100):
        at = BEGIN + timedelta(days=place)
        observer.see([reviewed(place, 0.7, True, calibrator=f"c{place}", at=at, reviewed_at=at)])
    assert len(observer.watches) == 60
    assert {each.number for each in observer.watches} == set(range(41, 101))
    assert len(observer.window.days) == 60
    one = Observer(Watching(window=50))
    one.see(stream(5200))
    assert len(one.watches[0].history.points) <= 240
    assert one.watches[0].history.points[-1]["n"] > 5100
    assert len(json.dumps(one.state())) < 150_000


def test_a_day_has_the_calibration_error_of_its_answers() -> None:
    answers, day = stream(300, seed=9), Day.empty()
    for each in answers:
        day.add(WindowRow.of(each, ()))
    ece = error_of(answers)
    figures = day.figures()
    assert figures["ece"] == pytest.approx(ece, abs=1e-6)
    given = [each for each in answers if each.decision == "answer"]
    assert figures["selective_risk"] == pytest.approx(sum(not each.correct for each in given) / len(given), abs=1e-6)
    assert Day.empty().figures()["ece"] is None


def test_open_answers_are_tested_for_too_much_confidence_alone() -> None:
    # Their calibrators are fitted by a strict judge: that people call more of them right is to be expected.
    wording = open_wording(PAIR.answer_template, DEFAULT_JUDGE)
    key = PAIR.model_copy(update={"answer_template": wording})
    assert Observer(Watching()).see(stream(600, off=0.3)) != []
    assert Observer(Watching()).see(stream(600, off=0.3, key=key)) == []
    [alarm] = Observer(Watching()).see(stream(600, off=-0.3, key=key))
    assert alarm.crossing.finding is not None
    assert alarm.crossing.finding.direction == "overconfident"


def test_a_state_in_which_open_answers_were_tested_otherwise_is_read_anew() -> None:
    key = PAIR.model_copy(update={"answer_template": open_wording(PAIR.answer_template, DEFAULT_JUDGE)})
    observer = Observer(Watching())
    observer.see(stream(5, key=key))
    state = json.loads(json.dumps(observer.state()))
    assert Observer.restore(state, Watching()).state() == observer.state()
    state["watches"][0]["test"] = SequentialTest(Watching().share(1), Watching().tolerance).state()
    with pytest.raises(ValueError, match="calibration@1"):
        Observer.restore(state, Watching())
