"""`trustvqa calibrate`: fit calibrators on held-out answers, choose among them, publish what was chosen."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from prompt4trust.calibration import FAMILIES
from prompt4trust.reviewing import MAX_RATE
from services.common.registry.directory import Registry
from trustvqa.cli.addresses import GatewayAddress
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.models import held_out_answers, publishing, refit
from trustvqa.cli.models.fitting import FittingOptions
from trustvqa.cli.option_groups import grouped
from trustvqa.cli.output import BesideJson, print_json
from trustvqa.cli.running_stack import default_address
from trustvqa.cli.runs import default_methods, prediction_run, tables
from trustvqa.cli.runs.options import AskingOptions, EarlierRun, QuestionOptions, ServedModelOptions


@dataclass(frozen=True, slots=True)
class ValidationOptions:
    """The questions that families are judged on."""

    validation: Annotated[
        Path | None,
        typer.Option(
            help="Questions that families are judged on, never those of the test split; else folds of --data."
        ),
    ] = None
    validation_run: Annotated[
        Path | None, typer.Option(help="Use this earlier run on the validation questions instead of asking models.")
    ] = None


@dataclass(frozen=True, slots=True)
class PublishingOptions:
    """The registry that calibrators go to, and whether they are live from then on."""

    registry: Annotated[Path | None, typer.Option(help="Directory that the calibrators are published in.")] = None
    activate: Annotated[bool, typer.Option(help="Make the calibrators live, or only publish them.")] = True


@dataclass(frozen=True, slots=True)
class FeedbackOptions:
    """The feedback that is meant."""

    gateway: GatewayAddress = None
    since: Annotated[datetime | None, typer.Option(help="Feedback: answered at this time (UTC) or later.")] = None
    until: Annotated[datetime | None, typer.Option(help="Feedback: answered before this time (UTC).")] = None
    flips: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=MAX_RATE,
            help="Feedback: share of it that may be wrong where nothing tells; what is published is no worse up to it.",
        ),
    ] = refit.FLIPS


@grouped
def calibrate(
    *,
    data: Annotated[
        Path | None, typer.Option(help="Questions of the calibration split, kept apart from training and test.")
    ] = None,
    from_feedback: Annotated[
        bool, typer.Option("--from-feedback", help="Fit on what people said of a gateway's answers instead.")
    ] = False,
    judging: ValidationOptions,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Whose confidence to correct, with commas between; by default those that the gateway offers, of --run "
            "and from feedback all."
        ),
    ] = None,
    run: EarlierRun = None,
    fitting: FittingOptions,
    publication: PublishingOptions,
    questions: QuestionOptions,
    asking: AskingOptions,
    models: ServedModelOptions,
    feedback: FeedbackOptions,
    as_json: BesideJson = False,
) -> None:
    """Fit all calibrators for each method on held-out answers, and make the best live for these models and wording.

    With --from-feedback the answers are those of a running gateway of which somebody has said whether they were right,
    for each pair of models, method and wording by itself; the calibrators get new names, and those before them stay.
    None is published that is not shown to be no worse than what is live, however often reviewers may be wrong.

    The best has the lowest log loss on the validation questions or, without any, on answers that its fits did not see.
    Nothing is published where more than 1 % of the predictions are missing because a model could not be asked (status
    4; the same command asks those again), or where there are too few answers, or only right or only wrong ones.
    """
    console = tables.console(beside_json=as_json)
    try:
        if fitting.family is not None and fitting.family not in FAMILIES:
            raise CommandError(f"no calibration method {fitting.family!r}; there are {', '.join(FAMILIES)}")
        if from_feedback:
            if any(
                each is not None for each in (data, judging.validation, run, judging.validation_run, questions.limit)
            ):
                raise CommandError("--from-feedback takes no questions: leave out --data and what belongs to it")
            if fitting.probe_rows:
                raise CommandError("--probe-rows asks questions, and --from-feedback does not: leave one of them out")
            document = _from_feedback(methods, fitting, publication, asking.out, models, feedback, console)
        else:
            if data is None:
                raise CommandError("--data is missing: the questions to fit on; or --from-feedback")
            if methods is None:
                methods = default_methods.offered(Console(stderr=True)) if run is None else default_methods.of_run(run)
            request = prediction_run.Request(data, methods, fitting.seed, questions, asking, models.policy_version)
            document = _from_questions(request, run, judging, fitting, publication, models, console)
    except CommandError as error:
        fail(str(error))
    if as_json:
        print_json(json.loads(document.read_text(encoding="utf-8")))


def _from_feedback(
    methods: str | None,
    fitting: FittingOptions,
    publication: PublishingOptions,
    out: Path | None,
    models: ServedModelOptions,
    feedback: FeedbackOptions,
    console: Console,
) -> Path:
    names = prediction_run.method_names(methods) if methods else None
    wanted = refit.Wanted(names, models.model, models.policy_version, models.template, feedback.since, feedback.until)
    target = Registry(publication.registry or prediction_run.read_settings().registry)
    return refit.refit(
        refit.FeedbackSource(feedback.gateway or default_address("gateway")),
        wanted,
        fitting,
        target,
        flips=feedback.flips,
        activate=publication.activate,
        out=out,
        console=console,
    )


def _from_questions(
    request: prediction_run.Request,
    run: Path | None,
    judging: ValidationOptions,
    fitting: FittingOptions,
    publication: PublishingOptions,
    models: ServedModelOptions,
    console: Console,
) -> Path:
    if judging.validation_run is not None and judging.validation is None:
        raise CommandError("--validation-run needs --validation, the questions that it is a run of")
    if fitting.family is not None and judging.validation is not None:
        raise CommandError("--family leaves nothing to choose, so --validation is of no use; leave one out")
    progress = Console(stderr=True)
    names = prediction_run.method_names(request.methods)
    settings = prediction_run.read_settings(**models.settings())
    outcome = held_out_answers.obtain(run, request, settings, names, progress)
    share = fitting.probe_rows
    spoilt = held_out_answers.obtain_right_removed(run, outcome, request, settings, names, share, progress)
    judges, judges_spoilt = None, held_out_answers.ProbeRows()
    if judging.validation is not None:
        asked = replace(
            request,
            data=judging.validation,
            asking=replace(request.asking, out=None),
            policy_version=outcome.manifest.policy,
        )
        judges = held_out_answers.obtain(judging.validation_run, asked, settings, names, progress)
        held_out_answers.check_apart(outcome, judges)
        judges_spoilt = held_out_answers.obtain_right_removed(
            judging.validation_run, judges, asked, settings, names, share, progress
        )
    artifacts = [held_out_answers.fit(outcome, judges, name, fitting, spoilt, judges_spoilt) for name in names]
    target = Registry(publication.registry or settings.registry)
    for artifact in artifacts:
        path, before = publishing.publish(target, artifact, activate=publication.activate, what="trustvqa calibrate")
        publishing.show(artifact, path, before, console, live=publication.activate)
    files = publishing.write_figures(outcome.folder, artifacts)
    for path in files:
        console.print(str(path), highlight=False, soft_wrap=True)
    return files[0]
