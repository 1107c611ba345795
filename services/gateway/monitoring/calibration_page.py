"""The page at /calibration: the report of calibration, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from prompt4trust.plots import history_svg, oracle_curve, random_curve, reliability_svg, risk_coverage_svg
from services.gateway.monitoring.report import (
    AlarmReply,
    CalibrationReport,
    Figure,
    FindingReply,
    SliceFigures,
    StreamReply,
    WindowFigures,
)
from services.gateway.monitoring.watched_stream import Kind
from trustvqa.reports.page_parts import Cell, Diagram, Table
from trustvqa.reports.rendering import render

_TITLE = "Does calibrated confidence hold?"
_FEW = 50
_TEMPLATES: Final = Path(__file__).parent / "templates"
_COLUMNS = {
    "reviewed": "answers",
    "ece": "calibration error (ECE)",
    "brier": "Brier score",
    "mean_confidence": "stated",
    "accuracy": "right",
    "coverage": "answered",
    "selective_risk": "wrong of answered",
}
_DAYS = {"reviewed": "answers", "ece": "ECE", "brier": "Brier score", "coverage": "answered",
         "selective_risk": "wrong of answered"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StreamCard:
    """Verdict on a stream that is applied now; of an alarm that stands, when it was `raised` and its id, else ""."""

    kind: str
    heading: str
    verdict: str
    told: str
    raised: str
    name: str
    alarm: str


@dataclass(frozen=True, slots=True)
class StreamView:
    """A stream under test, with the course of the evidence against it."""

    heading: str
    facts: Mapping[str, str]
    evidence: Diagram | None


@dataclass(frozen=True, slots=True)
class CalibrationPage:
    """View model of calibration.html; a list that is empty has no section.

    Attributes:
        title: The page's name.
        report: The report, for its counts and settings.
        read: When the records were read, or "".
        newest: Of how many answers the figures are, which may be too `few` to say anything.
        cards: The verdicts.
        now: Figures of the newest answers, None without.
        chance: How large an error chance alone would make, or "".
        diagrams: The same in pictures.
        streams: What is tested.
        by: Figures by models and by what clients told.
        days: Figures by day, None without.
        administers: Whether the reader may acknowledge alarms and strike reviews.
    """

    title: str
    report: CalibrationReport
    read: str
    newest: int
    few: bool
    cards: Sequence[StreamCard]
    now: Table | None
    chance: str
    diagrams: Sequence[Diagram]
    streams: Sequence[StreamView]
    by: Sequence[Table]
    days: Table | None
    administers: bool


def render_page(report: CalibrationReport, *, administers: bool = False) -> str:
    """Write a report as HTML that needs nothing else.

    Args:
        report: The report.
        administers: Whether the reader may acknowledge alarms and strike reviews: only then the page has a script.
    """
    found = report.figures
    newest = min(report.window, report.reviewed)
    page = CalibrationPage(
        title=_TITLE,
        report=report,
        read=f"Records read {_time(report.as_of)}." if report.as_of else "",
        newest=newest,
        few=newest < _FEW,
        cards=_cards(report),
        now=Table(["", *_COLUMNS.values()], [["all", *_cells(found)]]) if found else None,
        chance="" if found is None or found.chance.high is None else f"{found.chance.high:.3f}",
        diagrams=_diagrams(report),
        streams=[_stream(stream) for stream in report.streams],
        by=[_group(name, listed) for name, listed in report.by.items()],
        days=_days(report) if report.days else None,
        administers=administers,
    )
    return render("calibration.html", page, _TEMPLATES)


def _cards(report: CalibrationReport) -> list[StreamCard]:
    applied = sorted((each for each in report.streams if each.applied), key=lambda each: each.number)
    # Of one calibrator or guard, the stream that began last: those before it ended with an acknowledgement.
    return [_card(stream) for stream in {(each.kind, each.pair.line): each for each in applied}.values()]


def _card(stream: StreamReply) -> StreamCard:
    alarm = stream.alarm
    if alarm is None:
        kind, verdict, told = "fine", "No alarm", _calm(stream)
    elif stream.live:
        kind, verdict, told = "bad", "Alarm", alarm.message
    else:
        word = alarm.acknowledged
        by = f" by {word.who}, {_time(word.at)}" if word else ""
        kind, verdict = "", "Alarm acknowledged"
        told = f"Acknowledged{by}. It is watched anew from the next review on."
    raised = ""
    if alarm is not None and stream.live:
        raised = f"raised {_time(alarm.at)}, at answer {alarm.answer:,}; its id {alarm.id}"
    stands = alarm.id if alarm is not None and stream.live else ""
    return StreamCard(kind, _tested(stream), verdict, told, raised, stream.name, stands)


def _tested(stream: StreamReply) -> str:
    """Name what a stream tests."""
    return f"{'confidence' if stream.kind == 'calibrator' else 'promised risk'} of {stream.pair.estimator}"


def _calm(stream: StreamReply) -> str:
    share = _way(stream)
    if share < 0.01:
        said = "1 reviewed answer speaks" if stream.n == 1 else f"{stream.n:,} reviewed answers speak"
        return f"{said} for it: nothing points to an alarm."
    return f"{stream.n:,} reviewed {_answers(stream.n)}: {100 * share:.0f} % of the way to an alarm."


def _answers(n: int) -> str:
    return "answer" if n == 1 else "answers"


def _way(stream: StreamReply) -> float:
    """Share of the way to an alarm that the evidence has gone, in [0, 1]."""
    return min(1.0, max(0.0, stream.evidence) / stream.limit)


def _diagrams(report: CalibrationReport) -> list[Diagram]:
    drawn = []
    if report.reliability:
        drawn.append(
            Diagram.of(
                reliability_svg(report.reliability, "the newest reviewed answers", report.band),
                "Reliability.",
                " Bars: how often answers stated at that confidence were right. Calibrated ones end within the "
                "whiskers 19 times in 20. Below: how many answers.",
            )
        )
    if report.risk_coverage:
        wrong = report.risk_coverage[-1][1]
        drawing = risk_coverage_svg(
            {"calibrated": report.risk_coverage},
            "the newest reviewed answers",
            references={"best order": oracle_curve(wrong), "no order": random_curve(wrong)},
        )
        told = " Share of wrong answers among the most confident ones, by the share of questions that these are."
        drawn.append(Diagram.of(drawing, "Risk and coverage.", told, broad=True))
    if len(report.history) > 1:
        lines = {
            name: [(point["n"], point[key]) for point in report.history]
            for key, name in (("ece", "ECE"), ("selective_risk", "wrong of answered"), ("coverage", "answered"))
        }
        drawing = history_svg(lines, "figures over the reviews", x_label="reviewed answers", y_range=(0.0, 1.0))
        told = f" Upright: shares, 0 to 1. Each point is of the newest {report.window:,} reviews of its time."
        drawn.append(Diagram.of(drawing, "History.", told, broad=True))
    return drawn


def _stream(stream: StreamReply) -> StreamView:
    state = "live" if stream.live else "acknowledged" if _is_acknowledged(stream) else "no longer applied"
    told = {
        "pair": stream.pair.line,
        stream.kind: f"{stream.name} ({state})" + (f", made {_time(stream.fitted)}" if stream.fitted else ""),
        "reviewed answers": f"{stream.n:,}{_between(stream)}",
        "way to an alarm": f"{100 * _way(stream):.0f} %",
        "by chance alone": f"so far or farther with probability {min(1.0, stream.p_value):.2g} at most, if all is well",
        "false alarms": f"with probability {stream.alpha:.3g} at most, ever",
    }
    if stream.finding is not None:
        told["it points to"] = _finding(stream.kind, stream.finding) + (
            "" if stream.evidence > 1 else " (no more than chance may do)"
        )
    if stream.alarm is not None:
        told["alarm"] = _alarm_words(stream.alarm)
    evidence = _evidence(stream) if len(stream.history) > 1 else None
    return StreamView(_tested(stream).capitalize(), told, evidence)


def _finding(kind: Kind, found: FindingReply) -> str:
    since = f"on {found.n:,} {_answers(found.n)} since about answer {found.since:,}"
    if kind == "guard":
        return f"{1 - found.right:.2f} wrong {since}, where {1 - found.stated:.2f} at most was promised"
    return f"{found.direction}, {found.region}: stated {found.stated:.2f}, right {found.right:.2f} {since}"


def _evidence(stream: StreamReply) -> Diagram:
    points = [(point["n"], 100 * max(0.0, point["evidence"]) / stream.limit) for point in stream.history]
    marks = [] if stream.alarm is None else [(float(stream.alarm.answer), "alarm")]
    drawn = history_svg(
        {"way to an alarm": points},
        f"way to an alarm of {stream.name}, in per cent",
        x_label="reviewed answers of this stream",
        y_range=(0.0, max(115.0, 1.05 * max(value for _, value in points))),
        marks=marks,
        levels=[(100.0, "alarm from here on")],
        height=130,
    )
    return Diagram.of(drawn, told="Upright: per cent of the way to an alarm. Across: reviewed answers.", broad=True)


def _group(name: str, listed: Iterable[SliceFigures]) -> Table:
    rows = [[each.value, *_cells(each.figures)] for each in listed]
    return Table([name, *_COLUMNS.values()], rows, heading=f"By {name}")


def _days(report: CalibrationReport) -> Table:
    rows = [[str(day["day"]), *(_number(day[name]) for name in _DAYS)] for day in report.days]
    return Table(["answered on (UTC)", *_DAYS.values()], rows)


def _cells(found: WindowFigures) -> Iterable[Cell | str]:
    for name in _COLUMNS:
        value = getattr(found, name)
        yield _figure(value) if isinstance(value, Figure) else f"{value:,}"


def _figure(each: Figure) -> Cell:
    if each.value is None:
        return Cell("-")
    return Cell(
        f"{each.value:.3f}", "" if each.low is None or each.high is None else f"[{each.low:.3f}, {each.high:.3f}]"
    )


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
