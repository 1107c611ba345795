"""The `trustvqa` command: one module per sub-command, mounted here."""

from __future__ import annotations

import typer

from services.cli.ask import ask
from services.cli.backup import backup, restore
from services.cli.calibrate import calibrate
from services.cli.evaluate import evaluate
from services.cli.guard import guard
from services.cli.keys import app as keys
from services.cli.phantoms import phantoms
from services.cli.policies import policies
from services.cli.reference import reference
from services.cli.report import report
from services.cli.train import train
from services.cli.up import up

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
