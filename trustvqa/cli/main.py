"""The `trustvqa` command: where the module of each sub-command is, and the extra that it needs."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from trustvqa.cli.lazy_group import DISTRIBUTION, LazyCommand, lazy_app

COMMANDS: Final = {
    "up": LazyCommand(
        "trustvqa.cli.operate.up:up",
        "Start gateway, policy, downstream and trainer, and stop them on Ctrl-C.",
        "engine",
    ),
    "doctor": LazyCommand(
        "trustvqa.cli.doctor:doctor",
        "Look for what is wrong: services, clocks, key, calibrators, alarms, settings and disk; status 1 for a fault.",
        "serve",
    ),
    "ask": LazyCommand("trustvqa.cli.ask.ask:ask", "Ask one question about one picture and print the answer."),
    "batch": LazyCommand(
        "trustvqa.cli.ask.batch:batch",
        "Ask all questions of a file and write a line of results for each; a killed command goes on where it was.",
    ),
    "feedback": LazyCommand(
        "trustvqa.cli.ask.feedback:feedback",
        "Review an answer: which option was right, or whether the answer was; drift is told by that.",
    ),
    "send": LazyCommand(
        "trustvqa.cli.ask.send:send",
        "Store an answer's report in a picture archive (PACS), beside the instance that was asked about.",
        "hospital",
    ),
    "listen": LazyCommand(
        "trustvqa.cli.operate.listen:listen",
        "Have new instances of a picture archive (PACS) answered by rules, and store the reports, until Ctrl-C.",
        "hospital",
    ),
    "deidentify": LazyCommand(
        "trustvqa.cli.ask.deidentify:deidentify",
        "Write DICOM objects without what tells of a patient (PS3.15, Annex E, the basic profile).",
        "deidentify",
    ),
    "phantoms": LazyCommand(
        "trustvqa.cli.runs.phantoms:phantoms",
        "Write a Phantom-VQA data set in PMC-VQA's format: synthetic pictures with questions, of no clinical use.",
    ),
    "evaluate": LazyCommand(
        "trustvqa.cli.runs.evaluate:evaluate",
        "Compare methods on a set of questions: accuracy, calibration, confident errors and cost, with 95 % intervals.",
    ),
    "calibrate": LazyCommand(
        "trustvqa.cli.models.calibrate:calibrate",
        "Fit all calibrators for each method on held-out answers, and make the best live for these models and wording.",
    ),
    "report": LazyCommand(
        "trustvqa.cli.runs.report:report",
        "Write what one run came to, or how several differ, as a page with diagrams and the most confident errors.",
    ),
    "guard": LazyCommand(
        "trustvqa.cli.models.guard:guard",
        "Make thresholds with a guaranteed share of errors, and option sets with a guaranteed coverage, for each "
        "method.",
    ),
    "reference": LazyCommand(
        "trustvqa.cli.models.reference:reference",
        "Make reference inputs from the questions of a calibration split, so that unlike ones can be told.",
    ),
    "train": LazyCommand(
        "trustvqa.cli.learning.train:train",
        "Improve a policy by GRPO; the checkpoint that does best on the validation split becomes a new version.",
        "train",
    ),
    "tune": LazyCommand(
        "trustvqa.cli.learning.tune:tune",
        "Tune the context of a contrastive model by CalibPrompt on a few questions a class, and publish the new model.",
        "train",
    ),
    "runs": LazyCommand(
        "trustvqa.cli.runs.trainer_runs:app",
        "The trainer's runs (training, tuning, evaluation): list, show, follow, cancel and resume them.",
    ),
    "policies": LazyCommand(
        "trustvqa.cli.models.policies:policies",
        "List the policy versions, or make one live; no request is dropped meanwhile.",
    ),
    "backup": LazyCommand(
        "trustvqa.cli.operate.backup:backup",
        "Copy records (SQLite) and registry into one file, while the services go on.",
        "serve",
    ),
    "restore": LazyCommand(
        "trustvqa.cli.operate.backup:restore",
        "Put a backup's records and registry in their places; stop the services first.",
        "serve",
    ),
    "records": LazyCommand(
        "trustvqa.cli.operate.records:app",
        "Erase the content of one record of a gateway; what the audit log holds stays provable.",
    ),
    "audit": LazyCommand(
        "trustvqa.cli.operate.audit:app",
        "The audit log of a gateway's records: prove that nobody changed it, and hand it on.",
        "serve",
    ),
    "keys": LazyCommand(
        "trustvqa.cli.operate.keys:app",
        "API keys: made here, shown once, and kept as hashes in a file that the services follow without a restart.",
        "serve",
    ),
}

app = lazy_app(
    COMMANDS,
    name="trustvqa",
    help="Medical visual question answering whose stated confidence can be trusted.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        # Here: no other command needs it, and it takes a tenth of the time that they start in.
        from importlib.metadata import version

        typer.echo(f"{DISTRIBUTION} {version(DISTRIBUTION)}")
        raise typer.Exit


@app.callback()
def main(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Medical visual question answering whose stated confidence can be trusted."""
