"""`trustvqa calibrate --from-feedback`: calibrators from what people said of a running gateway's answers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from scipy.stats import fisher_exact

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.evaluation import Prediction, choose_family, fit_calibrator
from services.common.registry.directory import Registry
from trustvqa.cli.errors import CommandError
from trustvqa.cli.models.publishing import artifact_name, keep, publish, show
from trustvqa.cli.models.reviews import Count, FeedbackSource, Reviewed, Wanted, read_counts, read_live, read_reviewed

__all__ = ["FeedbackSource", "Fitting", "Wanted", "refit"]

LEAST_SHARE = 0.2
"""Share of answers reviewed below which a person is warned: those that were may be unlike those that were not."""
LEAST_RATIO, LEVEL = 1.5, 0.01
"""Answers given and answers deferred count as reviewed unequally where their shares differ by this factor, and by more
than chance at this level (Fisher's exact test)."""
_NAME = 128  # characters of a name that the registry takes
_SEEN_LIVE_S = 10.0


@dataclass(frozen=True, slots=True)
class Fitting:
    """How calibrators are fitted: the family, or None to choose; and the figures' folds, resamples and seed."""

    family: str | None
    folds: int
    resamples: int
    seed: int


def refit(
    source: FeedbackSource,
    wanted: Wanted,
    fitting: Fitting,
    registry: Registry,
    *,
    activate: bool,
    out: Path | None,
    console: Console,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Fit a calibrator for every pair that has enough feedback, publish each under a new name, and say what was done.

    Args:
        source: The gateway.
        wanted: Which answers.
        fitting: How.
        registry: Where they are published.
        activate: Whether they are made live.
        out: Folder for the evidence, or None for one named after the time.
        console: Where to say it.
        clock: Gives the present time, with its zone.

    Raises:
        CommandError: If the gateway gives no feedback, or that of no pair suffices.
    """
    now = clock()
    with source.open() as client:
        reviewed, counts = read_reviewed(client, wanted), read_counts(client, wanted)
        if not reviewed:
            raise CommandError("nobody has said anything of such answers yet")
        artifacts: list[CalibratorArtifact] = []
        refused: list[str] = []
        for pair in sorted({each.pair for each in reviewed}, key=lambda pair: pair.line):
            rows = [each for each in reviewed if each.pair == pair]
            warnings = selection_warnings([each for each in counts if each.pair == pair])
            try:
                artifacts.append(_fit(pair, rows, fitting, now, warnings))
            except ValueError as error:
                refused.append(f"{pair.line}: {error}")
        if not artifacts:
            raise CommandError("no calibrator can be fitted" + "".join(f"\n  {line}" for line in refused))
        for artifact in artifacts:
            what = "trustvqa calibrate --from-feedback"
            path, before = publish(registry, artifact, activate=activate, what=what)
            show(artifact, path, before, console, live=activate)
        for line in (*refused, *_without_guarantee(registry, artifacts if activate else [])):
            console.print(f"[yellow]warning[/] {escape(line)}", soft_wrap=True)
        about = {"gateway": source.url, "counts": [each.model_dump() for each in counts], "feedback": _told(reviewed)}
        for path in keep(out or Path("var/refits") / f"{now:%Y%m%d-%H%M%S}", artifacts, about):
            console.print(str(path), highlight=False, soft_wrap=True)
        if activate:
            _see_live(client, source, artifacts, console)


def selection_warnings(counts: Iterable[Count]) -> list[str]:
    """Say why the reviewed answers of a pair may be unlike all of them.

    Args:
        counts: Of the pair, by decision.

    Returns:
        Sentences for a person; none where nothing speaks for it.
    """
    by_decision = {each.decision: (each.reviewed, each.answers) for each in counts}
    reviewed, answers = (sum(each[part] for each in by_decision.values()) for part in (0, 1))
    found = []
    if reviewed < LEAST_SHARE * answers:
        found.append(
            f"people spoke of {_percent(reviewed, answers)} of {answers} answers: if they chose which, for instance "
            "the doubtful ones, the others are corrected wrongly"
        )
    given, deferred = by_decision.get("answer", (0, 0)), by_decision.get("defer", (0, 0))
    if given[1] and deferred[1]:
        shares = sorted((given[0] / given[1], deferred[0] / deferred[1]))
        table = [[each[0], each[1] - each[0]] for each in (given, deferred)]
        if shares[1] > LEAST_RATIO * shares[0] and fisher_exact(table).pvalue < LEVEL:
            found.append(
                f"people spoke of {_percent(*given)} of the answers given and of {_percent(*deferred)} of those "
                "deferred: the calibrator suits those that they spoke of more often"
            )
    return found


def _fit(
    pair: CalibrationKey, rows: Sequence[Reviewed], fitting: Fitting, now: datetime, warnings: list[str]
) -> CalibratorArtifact:
    """Fit on a pair's answers as on those of a run; raises ValueError where they do not suffice."""
    predictions = [_prediction(each) for each in rows]
    dataset = _dataset(rows)
    figures: dict[str, Any] = {"folds": fitting.folds, "resamples": fitting.resamples, "seed": fitting.seed}
    choice = None if fitting.family else choose_family(predictions, dataset=dataset, **figures)
    method = fitting.family or (choice.chosen if choice else "")
    suffix = f"-feedback-{now:%Y%m%d-%H%M%S}"
    fitted = fit_calibrator(
        predictions,
        name=artifact_name(method, pair)[: _NAME - len(suffix)].strip("-.") + suffix,
        family=method,
        key=pair,
        dataset=dataset,
        clock=lambda: now,
        choice=choice,
        **figures,
    )
    return fitted.model_copy(update={"warnings": [*fitted.warnings, *warnings]})


def _prediction(each: Reviewed) -> Prediction:
    # Which option was right is not always known, and not needed: only whether it was the one that was given.
    given = None if each.stated is None else "given"
    return Prediction(
        id=each.id,
        estimator=each.pair.estimator,
        truth="given" if each.right else "another",
        groups=each.groups,
        answer=given,
        confidence=each.stated,
        invalid="no_answer" if given is None else None,
        signals=each.signals,
    )


def _dataset(rows: Sequence[Reviewed]) -> str:
    people = len({each.who for each in rows})
    first, last = (f"{end(each.at for each in rows):%Y-%m-%d}" for end in (min, max))
    return f"feedback of {people} {'reviewer' if people == 1 else 'reviewers'} on answers of {first} to {last}"


def _told(reviewed: Sequence[Reviewed]) -> dict[str, Any]:
    """Sum up where feedback came from, for the evidence beside the calibrators."""
    return {
        "n": len(reviewed),
        "who": dict(Counter(each.who for each in reviewed).most_common()),
        "first_reviewed": min(each.reviewed_at for each in reviewed).isoformat(),
        "last_reviewed": max(each.reviewed_at for each in reviewed).isoformat(),
        "ids": sorted(each.id for each in reviewed),
    }


def _without_guarantee(registry: Registry, artifacts: Sequence[CalibratorArtifact]) -> list[str]:
    """Name the evidence that rested on the calibrators before."""
    pairs = {artifact.key.line for artifact in artifacts}
    return [
        f"{guard.name} holds for the calibrator before: nothing is guaranteed until `trustvqa guard` makes another"
        for guard in registry.guards.load_all()
        if guard.key.line in pairs and guard.calibrator is not None
    ]


def _see_live(
    client: httpx.Client, source: FeedbackSource, artifacts: Sequence[CalibratorArtifact], console: Console
) -> None:
    """Make sure that the gateway applies what was made live: it may read another registry."""
    deadline = time.monotonic() + _SEEN_LIVE_S
    while True:
        live = read_live(client)
        missing = [artifact.name for artifact in artifacts if live.get(artifact.key.line) != artifact.name]
        if not missing or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    if missing:
        names = ", ".join(missing)
        console.print(
            f"[yellow]warning[/] {escape(source.url)} does not apply {escape(names)}: does it read this registry?",
            soft_wrap=True,
        )
    else:
        console.print(f"{source.url} applies what is live", highlight=False, soft_wrap=True)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2g} %"
