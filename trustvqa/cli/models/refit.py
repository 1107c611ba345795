"""Calibrators from reviews of a running gateway's answers: `trustvqa calibrate --from-feedback`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from scipy.stats import fisher_exact

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.evaluation import Prediction
from prompt4trust.evaluation.prediction_arrays import fitting_rows
from prompt4trust.reviewing import Acceptance
from services.common.registry.directory import Registry
from services.common.registry.live_calibrator import live_calibrator
from trustvqa.cli.errors import CommandError
from trustvqa.cli.models.fitting import FittingOptions, choose_and_fit
from trustvqa.cli.models.publishing import publish, show, whole_key, write_figures
from trustvqa.cli.models.review_noise import NoisyAnswers, Reviewers, acceptance_words
from trustvqa.cli.models.reviews import (
    Count,
    FeedbackSource,
    Reviewed,
    Wanted,
    read_counts,
    read_live,
    read_reviewed,
    read_reviews,
)

__all__ = ["FeedbackSource", "Wanted", "refit"]

LEAST_SHARE = 0.2
"""Share of answers reviewed below which a person is warned: those that were may be unlike those that were not."""
LEAST_RATIO, LEVEL = 1.5, 0.01
"""Answers given and answers deferred count as reviewed unequally where their shares differ by this factor, and by more
than chance at this level (Fisher's exact test)."""
FLIPS = 0.2
"""Share of reviews, of right answers and of wrong ones, that may be wrong where nothing tells how many are."""
_SEEN_LIVE_S = 10.0


def refit(
    source: FeedbackSource,
    wanted: Wanted,
    fitting: FittingOptions,
    registry: Registry,
    *,
    flips: float = FLIPS,
    activate: bool,
    out: Path | None,
    console: Console,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Path:
    """Fit a calibrator for every calibration key that has enough feedback, and publish each under a new name.

    Args:
        source: The gateway.
        wanted: Which answers.
        fitting: How.
        registry: Where they are published.
        flips: Share of the reviews, of right answers and of wrong ones, that may be wrong where nothing tells how many
            are; each calibrator has to be no worse than what is live however many are, up to that.
        activate: Whether they are made live.
        out: Folder for the evidence, or None for one named after the time.
        console: Where a person reads what was done.
        clock: Gives the present time, with its zone.

    Returns:
        The document with the calibrators and their figures.

    Raises:
        CommandError: If the gateway gives no feedback, or reviewers are wrong too often, or the feedback on no key
            suffices for a calibrator that is no worse than what is live.
    """
    now = clock()
    with source.open() as client:
        reviewed, counts = read_reviewed(client, wanted), read_counts(client, wanted)
        if not reviewed:
            raise CommandError("nobody has said anything of such answers yet")
        reviewers = Reviewers.of(reviewed, read_reviews(client, wanted, reviewed), flips)
        for line in reviewers.lines():
            console.print(f"reviewers: {line}", highlight=False, soft_wrap=True)
        artifacts, accepted, refused = _fit_each(reviewed, counts, reviewers, fitting, registry, now)
        for artifact in artifacts:
            what = "trustvqa calibrate --from-feedback"
            path, before = publish(registry, artifact, activate=activate, what=what)
            show(artifact, path, before, console, live=activate)
            words = acceptance_words(accepted[artifact.name])
            console.print(f"no worse than what was live: {words}", highlight=False, soft_wrap=True)
        for line in (*refused, *_without_guarantee(registry, artifacts if activate else [])):
            console.print(f"[yellow]warning[/] {escape(line)}", soft_wrap=True)
        about = {
            "gateway": source.url,
            "counts": [each.model_dump() for each in counts],
            "feedback": _origin(reviewed),
            "reviewers": reviewers.as_json(),
            "accepted": {name: asdict(each) for name, each in accepted.items()},
        }
        files = write_figures(out or Path("var/refits") / f"{now:%Y%m%d-%H%M%S}", artifacts, about)
        for path in files:
            console.print(str(path), highlight=False, soft_wrap=True)
        if activate:
            _see_live(client, source, artifacts, console)
    return files[0]


def selection_warnings(counts: Iterable[Count]) -> list[str]:
    """Explain why the reviewed answers of a calibration key may be unlike all of them.

    Args:
        counts: Of the key, by decision.

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


def _picture_warnings(rows: Sequence[Reviewed]) -> list[str]:
    unknown = sum(each.picture is None for each in rows)
    if not unknown:
        return []
    return [
        f"the gateway does not tell of {unknown} answers which picture they are about: they are taken to be about "
        "different ones, and where they are not its intervals are too narrow, as is that by which it was accepted"
    ]


def _fit_each(
    reviewed: Sequence[Reviewed],
    counts: Sequence[Count],
    reviewers: Reviewers,
    options: FittingOptions,
    registry: Registry,
    now: datetime,
) -> tuple[list[CalibratorArtifact], dict[str, Acceptance], list[str]]:
    """Fit a calibrator for every key, by name compared with what is live, and give the reasons why others have none.

    Raises:
        CommandError: If there is none for any.
    """
    artifacts, accepted, refused = [], {}, []
    for key in sorted({each.pair for each in reviewed}, key=lambda key: key.line):
        rows = [each for each in reviewed if each.pair == key]
        warnings = [*selection_warnings(each for each in counts if each.pair == key), *_picture_warnings(rows)]
        answers = NoisyAnswers(fitting_rows(_prediction(each) for each in rows), reviewers, options.seed)
        live = live_calibrator(registry.calibrators.load_all(), key, registry.active.calibrators())
        try:
            fitted = _fit(key, answers, _dataset(rows), options, now, warnings)
            accepted[fitted.name] = answers.accept(fitted, live, options.folds)
        except ValueError as error:
            refused.append(f"{key.line}: {error}")
        else:
            artifacts.append(fitted)
    if not artifacts:
        raise CommandError("no calibrator can be fitted" + "".join(f"\n  {line}" for line in refused))
    return artifacts, accepted, refused


def _fit(
    key: CalibrationKey,
    answers: NoisyAnswers,
    dataset: str,
    options: FittingOptions,
    now: datetime,
    warnings: list[str],
) -> CalibratorArtifact:
    """Fit on a key's answers as on those of a run; raises ValueError where they do not suffice."""
    whole_key(key)
    suffix = f"-feedback-{now:%Y%m%d-%H%M%S}"
    predictions = answers.corrected() if answers.rows else []
    fitted = choose_and_fit(predictions, key, options, dataset=dataset, now=now, suffix=suffix)
    line = answers.reviewers.lines()[0]
    if answers.reviewers.estimate is not None:
        warnings = [
            f"its outcomes are corrected for reviewers who err, its figures are those on them: {line}",
            *warnings,
        ]
    elif answers.reviewers.flips > 0:
        warnings = [f"its outcomes are what reviewers said last, taken as it is, as are its figures: {line}", *warnings]
    return fitted.model_copy(update={"warnings": [*fitted.warnings, *warnings]})


def _prediction(each: Reviewed) -> Prediction:
    # Which option was right is not always known, and not needed: only whether it was the one that was given.
    given = None if each.stated is None else "given"
    return Prediction(
        id=each.id,
        estimator=each.pair.estimator,
        truth="given" if each.right else "another",
        groups=each.groups,
        picture=each.picture,
        answer=given,
        confidence=each.stated,
        invalid="no_answer" if given is None else None,
        signals=each.all_signals,
    )


def _dataset(rows: Sequence[Reviewed]) -> str:
    people = len({each.who for each in rows})
    first, last = (f"{end(each.at for each in rows):%Y-%m-%d}" for end in (min, max))
    return f"feedback of {people} {'reviewer' if people == 1 else 'reviewers'} on answers of {first} to {last}"


def _origin(reviewed: Sequence[Reviewed]) -> dict[str, Any]:
    """Sum up the origin of feedback, for the evidence beside the calibrators."""
    return {
        "n": len(reviewed),
        "who": dict(Counter(each.who for each in reviewed).most_common()),
        "first_reviewed": min(each.reviewed_at for each in reviewed).isoformat(),
        "last_reviewed": max(each.reviewed_at for each in reviewed).isoformat(),
        "ids": sorted(each.id for each in reviewed),
    }


def _without_guarantee(registry: Registry, artifacts: Sequence[CalibratorArtifact]) -> list[str]:
    """Name the evidence that rested on the calibrators before."""
    keys = {artifact.key.line for artifact in artifacts}
    return [
        f"{guard.name} holds for the calibrator before: nothing is guaranteed until `trustvqa guard` makes another"
        for guard in registry.guards.load_all()
        if guard.key.line in keys and guard.calibrator is not None
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
