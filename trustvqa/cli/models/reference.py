"""`trustvqa reference`: make the reference inputs that questions are compared with, and publish them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, TypedDict

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prompt4trust.datasets import Dataset, DatasetError
from prompt4trust.errors import UnreadablePictureError
from prompt4trust.evaluation import ManifestError, TableError, read_manifest, read_predictions
from prompt4trust.evaluation.prediction_arrays import fitting_hash
from prompt4trust.picture_files import PREPARATION
from prompt4trust.shift import LIMIT, Described, PictureAndWords, ReferenceArtifact, fit
from prompt4trust.shift.descriptor import describe_questions
from prompt4trust.shift.fitting import artifact_of
from prompt4trust.shift.reference_quality import BOTH, Floats, Share, beyond, halves_reach, judge_held_out, separation
from prompt4trust.shift.stored.summed_parts import ClaimsPart
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.output import BesideJson, print_json
from trustvqa.cli.runs import options, prediction_run, tables
from trustvqa.cli.runs.progress import counting_bar


class _Beside(TypedDict):
    """Questions that a reference is made with beside its own."""

    near: list[Described]
    others: list[Described]


_NONE_LEARNED = "no question that distances are taken to is of that group, with a picture and a known right option"
_TOO_MANY = 1.5  # times the share that a limit costs: a given reference has chance of its own
_NO_NAME = re.compile(r"[^A-Za-z0-9]+")


def reference(
    data: Annotated[Path, typer.Option(help="Questions that calibrators and guards were made from; no truth is used.")],
    unlike: Annotated[
        list[Path] | None,
        typer.Option(help="Questions of another kind: show how well they are told apart; may be repeated."),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(
            help="A run on these very questions: for calibrators and guards made from it by an older version, which do "
            "not say of which questions they are; may be repeated."
        ),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            help="Further questions drawn in the same way, such as a guard's: the reference stands for them as well, "
            "unless too many are beyond the limit; may be repeated."
        ),
    ] = None,
    near: Annotated[
        list[Path] | None,
        typer.Option(
            help="Questions that distances are taken to, such as those that the model was trained on: all of --data is "
            "then compared with. For few pictures; may be repeated."
        ),
    ] = None,
    other_kind: Annotated[
        list[Path] | None,
        typer.Option(
            help="Questions about pictures of another kind that look alike, to learn what tells them apart; colour is "
            "then judged by itself, too. May be repeated."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The file's name; by default after the data and its content.")
    ] = None,
    claims: Annotated[
        str | None,
        typer.Option(
            help="GROUP=VALUE, such as kind='body part': of these questions the right answers are learned with their "
            "pictures, so that an answer that a picture speaks against is told. Of multiple choice: not with --judge."
        ),
    ] = None,
    rows: Annotated[
        bool,
        typer.Option(
            "--rows",
            help="Keep descriptions of single questions and pictures, by which these could be recognised: tells more "
            "apart, for data that anybody may have.",
        ),
    ] = False,
    registry: Annotated[Path | None, typer.Option(help="Directory that the reference is published in.")] = None,
    at: Annotated[
        float,
        typer.Option("--atypicality-limit", min=0.5, max=1, help="Limit that it tells, and shares are of."),
    ] = LIMIT,
    limit: options.Limit = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw and of the division.")] = 42,
    images: options.Images = None,
    skip_bad: options.SkipBad = False,
    kind: options.Format = None,
    columns: options.Columns = None,
    cop_base: options.CopBase = None,
    judge: options.Judge = None,
    resamples: options.Resamples = 1000,
    publish: Annotated[bool, typer.Option(help="Publish, or only show.")] = True,
    as_json: BesideJson = False,
) -> None:
    """Make reference inputs from the questions of a calibration split, so that unlike ones can be told.

    No model is asked, and truth is used for --claims alone. A third of the questions, up to 1 000, is what distances
    are taken to; the others, up to 4 000, say how large distances usually are. With --near it is these that distances
    are taken to.
    """
    console, progress = tables.console(beside_json=as_json), Console(stderr=True)
    descriptor = PictureAndWords()
    try:
        layout = options.Layout(kind, columns, cop_base)
        claimed = _claims(claims, judge)
        read = partial(options.read_questions, seed=seed, skip_bad=skip_bad, judge=judge)
        read_others = partial(read, judge=None)  # of another kind in this as well: multiple choice mostly
        dataset = read(data, layout, images=images, limit=limit)
        answers = [each for folder in run or () for each in _answers(folder, dataset)]
        further = [read(path, layout, images=images) for path in also or ()]
        known = [read(path, layout, images=images) for path in near or ()]
        strangers = [read_others(path, options.Layout()) for path in other_kind or ()]
        others = [read_others(path, options.Layout(), limit=limit) for path in unlike or ()]
        described = _describe(dataset, progress, claimed)
        beside: _Beside = {
            "near": [each for taken in known for each in _describe(taken, progress, claimed)],
            "others": [each for taken in strangers for each in _describe(taken, progress)],
        }
        fitted = fit(described, descriptor, seed, **beside, limit=_asked(at), rows=rows)
        artifact = artifact_of(
            fitted,
            descriptor,
            name=name or _name(dataset),
            dataset=dataset.name,
            questions=f"sha256:{dataset.fingerprint}",
            picture_preparation=PREPARATION,
            clock=lambda: datetime.now(UTC),
            answers=answers,
        )
        if claims is not None and artifact.claims is None:
            raise CommandError(f"--claims {claims}: nothing was learned: {_NONE_LEARNED}")
        usual, _ = judge_held_out(fitted, described)
        taken_to = " and ".join(each.name for each in known) or dataset.name
        console.print(
            f"[bold]{escape(artifact.name)}[/]: distances to {artifact.n_near} questions of {escape(taken_to)}, "
            f"compared with {artifact.n_held} others",
            highlight=False,
            soft_wrap=True,
        )
        console.print(
            f"held-out questions at or beyond {at:g}, each half judged by the other: {_share(beyond(usual[BOTH], at))}",
            highlight=False,
            soft_wrap=True,
        )
        if artifact.claims is not None:
            console.print(_learned(artifact.claims), highlight=False, soft_wrap=True)
        if not halves_reach(fitted, described, at):
            console.print(f"half of the held-out questions are too few for {at:g}: no share can be shown by them")
        for alike in further:
            _check_alike(artifact, alike, at, console, progress)
        artifact = artifact.model_copy(update={"also": sorted(f"sha256:{each.fingerprint}" for each in further)})
        for other in others:
            strange = _describe(other, progress)
            judged = judge_held_out(fitted, described, strange)[1]
            console.print(f"\n{escape(other.name)}, {len(strange)} questions:", highlight=False)
            console.print(_separations(usual, judged, at, resamples), highlight=False)
        for warning in artifact.warnings:
            console.print(f"[yellow]warning[/] {escape(warning)}")
        if publish:
            path = Registry(registry or prediction_run.read_settings().registry).references.publish(artifact)
            console.print(str(path), highlight=False, soft_wrap=True)
        if as_json:
            held_out = asdict(beyond(usual[BOTH], at))
            counts = {"near": artifact.n_near, "compared": artifact.n_held, "warnings": list(artifact.warnings)}
            told = {"answers", "edge", "reaching", "n"}
            learned = None if artifact.claims is None else artifact.claims.model_dump(include=told)
            print_json({"reference": artifact.name, "limit": at, "beyond": held_out, **counts, "claims": learned})
    except (
        CommandError, DatasetError, ManifestError, TableError, RegistryError, UnreadablePictureError, ValueError,
    ) as error:  # fmt: skip
        fail(str(error))


def _asked(at: float) -> float:
    """Choose the limit that a reference must reach: at 1 nothing is ever withheld, so that the usual one is as good."""
    return at if at < 1 else LIMIT


def _check_alike(artifact: ReferenceArtifact, alike: Dataset, at: float, console: Console, progress: Console) -> None:
    """Show which share of further questions is beyond the limit; raise CommandError if it is too large."""
    judged, _ = artifact.reference().judge_all(_describe(alike, progress))
    share = beyond(judged, at)
    console.print(f"{escape(alike.name)}: {_share(share)} at or beyond {at:g}", highlight=False, soft_wrap=True)
    if share.low > _TOO_MANY * (1 - at):
        raise CommandError(f"--also {alike.name}: drawn otherwise; make a reference of its own")


def _separations(usual: Mapping[str, Floats], judged: Mapping[str, Floats], at: float, resamples: int) -> Table:
    """Lay out how well questions of another kind are told apart, by each part of a question."""
    table = tables.plain("by", "AUROC", "at or beyond the limit")
    for part, scores in judged.items():
        area = separation(usual[part], scores, resamples=resamples)
        table.add_row(part, f"{area.value:.3f} ({area.low:.3f} to {area.high:.3f})", _share(beyond(scores, at)))
    return table


def _answers(folder: Path, dataset: Dataset) -> Sequence[str]:
    """Hash a run's answers, by method, as calibrators and guards made from them do."""
    manifest, rows = read_manifest(folder), read_predictions(folder)
    if manifest.data_hash != dataset.fingerprint:
        raise CommandError(f"--run {folder}: a run on other questions ({manifest.dataset})")
    by_method = ([row for row in rows if row.estimator == method] for method in manifest.estimators)
    return [fitting_hash(own) for own in by_method if own]


def _learned(claims: ClaimsPart) -> str:
    return (
        f"answers learned with their pictures: {escape(', '.join(claims.answers))}; a picture speaks against one from "
        f"{claims.edge:.3g} on, as {claims.reaching} of {claims.n} held-out pictures do against the right one"
    )


def _claims(given: str | None, judge: str | None) -> tuple[str, str] | None:
    """Read GROUP=VALUE."""
    if given is None:
        return None
    if judge is not None:
        raise CommandError("--claims learns right options, and --judge takes open questions alone: leave one out")
    group, _, value = given.partition("=")
    if not group or not value:
        raise CommandError(f"--claims {given}: GROUP=VALUE, such as kind='body part'")
    return group, value


def _describe(dataset: Dataset, console: Console, claims: tuple[str, str] | None = None) -> list[Described]:
    with counting_bar(console) as bar:
        task = bar.add_task(dataset.name, total=len(dataset.questions))
        return describe_questions(dataset.questions, PictureAndWords(), lambda: bar.advance(task), claims)


def _name(dataset: Dataset) -> str:
    words = [word for word in _NO_NAME.split(dataset.name) if word] or ["questions"]
    return f"{'-'.join(words)[:100]}-{dataset.fingerprint[:8]}"


def _share(share: Share) -> str:
    return f"{100 * share.value:.3g} % of {share.n} ({100 * share.low:.3g} to {100 * share.high:.3g} %)"
