"""The page at /calibration: what a report says, for people."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from prompt4trust.plots import history_svg, oracle_curve, random_curve, reliability_svg, risk_coverage_svg
from services.gateway.monitoring.report import (
    AlarmReply,
    CalibrationReport,
    Figure,
    FindingReply,
    StreamReply,
    WindowFigures,
)
from services.gateway.monitoring.watched_stream import Kind
from trustvqa.reports.markup import STYLE, clean, document, facts, figure, section, table

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_TITLE = "Does calibrated confidence hold?"
_FEW = 50
_COLUMNS = (
    ("reviewed", "answers"),
    ("ece", "calibration error (ECE)"),
    ("brier", "Brier score"),
    ("mean_confidence", "stated"),
    ("accuracy", "right"),
    ("coverage", "answered"),
    ("selective_risk", "wrong of answered"),
)


def render_page(report: CalibrationReport) -> str:
    """Write a report as HTML that needs nothing else."""
    parts = [f'<p><a href="/">Ask a question</a></p><h1>{_TITLE}</h1>', _lead(report)]
    if report.figures is not None:
        parts += [
            _alarms(report),
            _now(report.figures),
            _pictures(report),
            _streams(report.streams),
            _breakdown(report),
            _days(report),
        ]
    parts.append(_about(report))
    return document(_TITLE, parts)


def _lead(report: CalibrationReport) -> str:
    problem = f'<p class="warn" role="alert">{clean(report.problem)}</p>' if report.problem else ""
    if report.status == "off":
        return (
            f"{problem}<p>Nobody can say: this gateway keeps no records, so no answer can be reviewed. Name a database "
            "in <code>records_url</code> to change that.</p>"
        )
    if report.status == "starting":
        return f"{problem}<p>The records have not been read yet. Look again in a moment.</p>"
    read = f"Records read {_time(report.as_of)}." if report.as_of else ""
    if report.status == "empty":
        return (
            f"{problem}<p>Nobody can say yet: there are no reviewed answers. Whoever knows the truth about an answer "
            "tells it by <code>POST /vqa/{id}/feedback</code> with the <code>id</code> of the reply.</p>"
            f'<p class="soft">{read}</p>'
        )
    newest = min(report.window, report.reviewed)
    few = " With so few it is early to say anything." if newest < _FEW else ""
    return (
        f'{problem}<p class="soft">From {report.reviewed:,} answers whose truth somebody has told; figures are of the '
        f"newest {newest:,}. {read} In brackets: 95 % intervals.{few}</p>"
    )


def _alarms(report: CalibrationReport) -> str:
    cards = []
    applied = sorted((each for each in report.streams if each.applied), key=lambda each: each.number)
    # Of one calibrator or guard, the stream that began last: those before it ended with an acknowledgement.
    for stream in {(each.kind, each.pair.key): each for each in applied}.values():
        kind, verdict, told = _verdict(stream)
        details = _alarm_facts(stream.alarm) if stream.alarm and stream.live else ""
        cards.append(
            f'<div class="card {kind}"><h3>{clean(_what(stream))}</h3><p class="verdict">{verdict}</p>'
            f'<p>{clean(told)}</p>{details}<p class="soft"><small>{clean(stream.name)}</small></p></div>'
        )
    if not cards:
        return (
            "<p>Neither calibrators nor guards that are applied now have reviewed answers, so there is nothing to "
            "test: the figures below are of answers of which nothing was promised, or by what has been replaced.</p>"
        )
    advice = ""
    if report.standing:
        advice = (
            "<p>What to do: look at the newest answers and at what has changed (models, pictures, questions, who "
            "reviews); refit with <code>trustvqa calibrate --from-feedback</code> (a guard with <code>trustvqa "
            "guard</code>), which puts another in its place and ends the alarm; or, if it is understood and harmless, "
            "acknowledge it.</p>"
        )
    return f'<div class="cards">{"".join(cards)}</div>{advice}'


def _what(stream: StreamReply) -> str:
    """Name what a stream tests."""
    return f"{'confidence' if stream.kind == 'calibrator' else 'promised risk'} of {stream.pair.estimator}"


def _verdict(stream: StreamReply) -> tuple[str, str, str]:
    """Give a stream's class of card, the verdict and what is to be said."""
    if stream.alarm is None:
        return "fine", "No alarm", _calm(stream)
    if stream.live:
        return "bad", "Alarm", stream.alarm.message
    word = stream.alarm.acknowledged
    by = f" by {word.who}, {_time(word.at)}" if word else ""
    return "", "Alarm acknowledged", f"Acknowledged{by}. It is watched anew from the next review on."


def _calm(stream: StreamReply) -> str:
    share = max(0.0, stream.evidence) / stream.limit
    return (
        f"On {stream.n:,} reviewed answers the evidence against it is {stream.evidence:z.1f}, where an alarm "
        f"takes {stream.limit:.1f} ({share:.0%} of the way)."
    )


def _alarm_facts(alarm: AlarmReply) -> str:
    return f'<p class="soft"><small>raised {_time(alarm.at)}, at answer {alarm.answer:,}; its id {alarm.id}</small></p>'


def _now(found: WindowFigures) -> str:
    chance = ""
    if found.chance.high is not None:
        chance = f" Were the confidences exact, chance alone would make an ECE of up to {found.chance.high:.3f} here."
    told = f"<p>The calibration error is the mean distance between what was stated and what was right.{chance}</p>"
    head = ["", *(clean(name) for _, name in _COLUMNS)]
    return section("now", "Now", [told, table(head, [["all", *_cells(found)]])])


def _pictures(report: CalibrationReport) -> str:
    drawn = []
    if report.reliability:
        drawn.append(
            figure(
                reliability_svg(report.reliability, "the newest reviewed answers", report.band),
                "<strong>Reliability.</strong> Bars: how often answers stated at that confidence were right. "
                "Calibrated ones end within the whiskers 19 times in 20. Below: how many answers.",
            )
        )
    if report.risk_coverage:
        wrong = report.risk_coverage[-1][1]
        drawn.append(
            figure(
                risk_coverage_svg(
                    {"calibrated": report.risk_coverage},
                    "the newest reviewed answers",
                    references={"best order": oracle_curve(wrong), "no order": random_curve(wrong)},
                ),
                "<strong>Risk and coverage.</strong> Share of wrong answers among the most confident ones, by the "
                "share of questions that these are.",
                broad=True,
            )
        )
    if len(report.history) > 1:
        lines = {
            name: [(point["n"], point[key]) for point in report.history]
            for key, name in (("ece", "ECE"), ("selective_risk", "wrong of answered"), ("coverage", "answered"))
        }
        drawn.append(
            figure(
                history_svg(lines, "figures over the reviews", x_label="reviewed answers", y_range=(0.0, 1.0)),
                f"<strong>History.</strong> Each point is of the newest {report.window:,} reviews of its time.",
                broad=True,
            )
        )
    return section("pictures", "In pictures", drawn) if drawn else ""


def _streams(streams: Iterable[StreamReply]) -> str:
    parts = [
        "<p>Answers whose confidence one calibrator gave are a stream, and so are those that one guard promised a "
        "share of errors for; each is tested after every review. Evidence is the logarithm of what bets against the "
        "promise have made of a stake of 1; it may be read at any time.</p>"
    ]
    for stream in streams:
        state = "live" if stream.live else "acknowledged" if _is_acknowledged(stream) else "no longer applied"
        parts.append(f"<h3>{clean(_what(stream).capitalize())}</h3>")
        told = {
            "pair": stream.pair.key,
            stream.kind: f"{stream.name} ({state})" + (f", made {_time(stream.fitted)}" if stream.fitted else ""),
            "reviewed answers": f"{stream.n:,}{_between(stream)}",
            "evidence": f"{stream.evidence:z.2f}; an alarm at {stream.limit:.2f}",
            "p-value": f"{stream.p_value:.2g}, valid at any time",
            "false alarms": f"with probability {stream.alpha:.3g} at most, ever",
        }
        if stream.finding is not None:
            told["it points to"] = _finding(stream.kind, stream.finding) + (
                "" if stream.evidence > 1 else " (no more than chance may do)"
            )
        if stream.alarm is not None:
            told["alarm"] = _alarm_words(stream.alarm)
        parts.append(facts(told))
        if len(stream.history) > 1:
            parts.append(_evidence(stream))
    return section("streams", "Streams under test", parts) if len(parts) > 1 else ""


def _finding(kind: Kind, found: FindingReply) -> str:
    since = f"on {found.n:,} answers since about answer {found.since:,}"
    if kind == "guard":
        return f"{1 - found.right:.2f} wrong {since}, where {1 - found.stated:.2f} at most was promised"
    return f"{found.direction}, {found.region}: stated {found.stated:.2f}, right {found.right:.2f} {since}"


def _evidence(stream: StreamReply) -> str:
    points = [(point["n"], point["evidence"]) for point in stream.history]
    values = [value for _, value in points]
    marks = [] if stream.alarm is None else [(float(stream.alarm.answer), "alarm")]
    drawn = history_svg(
        {"evidence": points},
        f"evidence against {stream.name}",
        x_label="reviewed answers of this stream",
        y_range=(min(-1.0, math.floor(min(values))), max(stream.limit * 1.15, max(values) * 1.05)),
        marks=marks,
        levels=[(stream.limit, "alarm from here on")],
        height=130,
    )
    return figure(drawn, "Evidence over the reviews.", broad=True)


def _breakdown(report: CalibrationReport) -> str:
    parts = []
    for name, listed in report.by.items():
        head = [clean(name), *(clean(label) for _, label in _COLUMNS)]
        parts.append(f"<h3>By {clean(name)}</h3>")
        parts.append(table(head, ([clean(each.value), *_cells(each.figures)] for each in listed)))
    return section("by", "By models and by what clients told", parts) if parts else ""


def _days(report: CalibrationReport) -> str:
    names = (("reviewed", "answers"), ("ece", "ECE"), ("brier", "Brier score"), ("coverage", "answered"),
             ("selective_risk", "wrong of answered"))  # fmt: skip
    head = ["answered on (UTC)", *(label for _, label in names)]
    rows = [[clean(str(day["day"])), *(_number(day[name]) for name, _ in names)] for day in report.days]
    return section("days", "By day", [table(head, rows)]) if rows else ""


def _about(report: CalibrationReport) -> str:
    return section(
        "about",
        "What this rests on",
        [
            "<p>On the answers that people reviewed, and on the first word on each. Where only the doubtful ones are "
            "reviewed, figures and test speak of those.</p>",
            f"<p>The test overlooks a distance of {report.tolerance:g} between confidence and share of right answers. "
            f"While none is larger, this gateway raises an alarm with probability {report.alpha:g} at most, over all "
            "its streams and however long they run.</p>",
            '<p>The same for programs: <a href="/calibration.json">/calibration.json</a>.</p>',
        ],
    )


def _cells(found: WindowFigures) -> Iterable[str]:
    for name, _ in _COLUMNS:
        value = getattr(found, name)
        yield _figure(value) if isinstance(value, Figure) else f"{value:,}"


def _figure(each: Figure) -> str:
    if each.value is None:
        return "-"
    ends = (
        "" if each.low is None or each.high is None else f'<span class="range">[{each.low:.3f}, {each.high:.3f}]</span>'
    )
    return f"{each.value:.3f}{ends}"


def _number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _alarm_words(alarm: AlarmReply) -> str:
    told = f"{alarm.state}; {_time(alarm.at)}, at answer {alarm.answer:,}. {alarm.message}"
    word = alarm.acknowledged
    if word is None:
        return told
    note = f": {word.note}" if word.note else ""
    return f"{told} Acknowledged by {word.who} {_time(word.at)}{note}"


def _is_acknowledged(stream: StreamReply) -> bool:
    return stream.alarm is not None and stream.alarm.state == "acknowledged"


def _between(stream: StreamReply) -> str:
    if stream.since is None or stream.last is None:
        return ""
    return f", {_time(stream.since)} to {_time(stream.last)}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
