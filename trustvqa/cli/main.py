"""The `trustvqa` command: one module per sub-command, mounted here."""

from __future__ import annotations

import typer

from trustvqa.cli.ask.ask import ask
from trustvqa.cli.models.calibrate import calibrate
from trustvqa.cli.models.guard import guard
from trustvqa.cli.models.policies import policies
from trustvqa.cli.models.reference import reference
from trustvqa.cli.operate.backup import backup, restore
from trustvqa.cli.operate.keys import app as keys
from trustvqa.cli.operate.up import up
from trustvqa.cli.runs.evaluate import evaluate
from trustvqa.cli.runs.phantoms import phantoms
from trustvqa.cli.runs.report import report
from trustvqa.cli.runs.train import train

app = typer.Typer(
    name="trustvqa",
    help="Medical visual question answering whose stated confidence can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
for command in (up, ask, phantoms, evaluate, calibrate, report, guard, reference, train, policies, backup, restore):
    app.command()(command)
app.add_typer(keys)
