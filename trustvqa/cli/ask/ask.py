"""`trustvqa ask`: a picture and a question to the gateway, a readable answer back."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prompt4trust.shares import in_percent
from trustvqa.cli.addresses import GatewayAddress
from trustvqa.cli.api_key import read_key
from trustvqa.cli.ask.client_errors import in_words
from trustvqa.cli.ask.dicom_options import Frame, WindowText, window_of
from trustvqa.cli.ask.group_options import named_groups
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.output import print_json
from trustvqa.cli.running_stack import default_address
from trustvqa.client.errors import ClientError
from trustvqa.client.pictures import picture_file
from trustvqa.client.plain.request import ask_once, is_plain
from trustvqa.client.questions import VqaQuestion
from trustvqa.client.results import CalibrationInfo, VqaResult

_BAR_CELLS = 24
_PATIENCE_S = 20.0


def ask(
    image: Annotated[Path, typer.Argument(help="The picture.", exists=True, dir_okay=False, readable=True)],
    question: Annotated[str, typer.Argument(help="The question about it.")],
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="An answer to choose from; give it 2 to 26 times.")
    ] = None,
    is_open: Annotated[
        bool,
        typer.Option(
            "--open",
            help="Ask an open question whatever its lines look like: without this and without options, lines such as "
            "'A: Left' are its options.",
        ),
    ] = False,
    method: Annotated[
        str | None,
        typer.Option(
            help="How the confidence is obtained, such as cgp or verbalized; the gateway lists what it offers."
        ),
    ] = None,
    max_risk: Annotated[
        float | None, typer.Option(min=0, max=1, help="Largest share of wrong answers you accept.")
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Rate at which the set of remaining options is to hold the right one.")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            help="What you know of the question, as NAME=VALUE, such as modality=CT or sex=F; more than once for "
            "several. A calibrator and a guarantee of that group are then applied, where there are such."
        ),
    ] = None,
    frame: Frame = None,
    window: WindowText = None,
    gateway: GatewayAddress = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File of an access token to show instead of an API key; read anew for every try."),
    ] = None,
    show_guess: Annotated[
        bool, typer.Option("--show-guess", help="Where the decision is to defer, show what the model would have said.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole reply.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer.")] = 60.0,
    patience: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Seconds for which a gateway that is busy or away is asked again; by default 20 while it is busy and "
            "none while it is away.",
        ),
    ] = None,
) -> None:
    """Ask one question about one picture and print the answer.

    Ends with status 0 when there is an answer, 3 when the system defers to a person, 1 on an error.
    """
    gateway = gateway or default_address("gateway")
    if is_open and option:
        fail("--open: an open question has no options", 2)
    try:
        asked = VqaQuestion(
            image,
            question,
            [] if is_open else option or None,
            None,
            method,
            max_risk,
            coverage,
            named_groups(group or []),
            frame=frame,
            window=window_of(window),
        )
        result = _ask(gateway, asked, token_file, timeout, patience)
    except CommandError as error:
        fail(str(error))
    except ClientError as error:
        fail(in_words(error, gateway))
    if as_json:
        print_json(result.raw)
    else:
        Console().print(render(result, show_guess=show_guess))
    raise typer.Exit(0 if result.decision == "answer" else 3)


def _ask(
    gateway: str, asked: VqaQuestion, token_file: Path | None, timeout: float, patience: float | None
) -> VqaResult:
    """Ask once by what takes the least time to import; where that fails, or cannot do it, go on as the client does."""
    key = read_key() if token_file is None else None
    # Once, however often it is asked: a pipe has nothing the second time, and a file may have changed.
    asked = replace(asked, picture=picture_file(asked.picture))
    began = time.monotonic()
    name, failed = str(uuid.uuid4()), None
    if token_file is None and is_plain(gateway):
        try:
            return ask_once(gateway, asked, api_key=key, idempotency_key=name, within_s=timeout)
        except ClientError as error:
            failed = error  # whether it is worth another try the client knows
    # Here: to import it takes longer than all the rest.
    from trustvqa.client import Client
    from trustvqa.client.tokens import token_in

    console = Console(stderr=True)
    spent_s = time.monotonic() - began if failed is not None else 0.0
    patient_s = _PATIENCE_S if patience is None else patience
    with Client(
        gateway,
        api_key=key,
        token=None if token_file is None else token_in(token_file),
        deadline_s=max(0.1, timeout + patient_s - spent_s),
        patience_s=max(0.0, patient_s - spent_s),
    ) as client:
        return client.ask(
            asked.picture,
            asked.question,
            asked.options,
            method=asked.method,
            max_risk=asked.max_risk,
            coverage=asked.coverage,
            groups=asked.groups,
            frame=asked.frame,
            window=asked.window,
            idempotency_key=name,
            try_s=timeout,
            away_s=0.0 if patience is None else max(0.0, patience - spent_s),
            on_retry=lambda why: console.print(escape(f"{gateway}: {why}; asking again"), style="dim"),
            failed=failed,
        )


def render(result: VqaResult, *, show_guess: bool = False) -> Table:
    """Lay a result out for a person.

    A deferral is no answer: what the model said is left out of it, unless it is asked for, and then named a guess.

    Args:
        result: The result.
        show_guess: Whether the model's guess of a deferral is shown.

    Returns:
        A table of two columns.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    reason = result.decision_basis.reason
    if result.is_deferred:
        table.add_row("No answer", escape("there is no reliable one: judge the picture yourself"))
        table.add_row("Why", escape(reason or "the gateway defers to a person"))
    else:
        _add_answer(table, "Answer", result)
        if result.statement:
            table.add_row("In words", escape(result.statement))
        table.add_row("Decision", escape(f"answer: {reason}" if reason else "answer"))
    if (remaining := result.option_set) is not None:
        table.add_row("Options left", escape(f"{', '.join(remaining.letters)}: {remaining.reason}"))
    if result.guidance_prompt:
        table.add_row("Guidance", escape(result.guidance_prompt))
    if not result.is_deferred:
        _add_explanation(table, result.explanation)
    if result.degraded:
        table.add_row("Done without", escape(", ".join(result.degraded)))
    table.add_row("Models", escape(", ".join(f"{role} {name}" for role, name in result.models.items() if name)))
    if (total := result.timing_ms.get("total")) is not None:
        table.add_row("Time", f"{total:.0f} ms")
    if result.is_deferred and show_guess:
        _add_answer(table, "Guess", result)
        _add_explanation(table, result.guess_explanation)
    elif result.is_deferred:
        table.add_row("Guess", "left out, as it is not to be relied on; --show-guess shows it")
    return table


def _add_answer(table: Table, label: str, result: VqaResult) -> None:
    said = result.guess if result.is_deferred else result.answer
    table.add_row(label, "none: the model's reply could not be read" if said is None else escape(str(said)))
    if result.confidence is not None:
        table.add_row("Confidence", _bar(result.confidence) + _calibration_words(result.calibration))


def _add_explanation(table: Table, text: str | None) -> None:
    if text:
        table.add_row("Model said", escape(text))


def _bar(confidence: float) -> str:
    filled = round(confidence * _BAR_CELLS)
    return f"{'█' * filled}{'░' * (_BAR_CELLS - filled)} {in_percent(confidence)}"


def _calibration_words(calibration: CalibrationInfo) -> str:
    stated = calibration.stated_confidence
    said = f"the model stated {in_percent(stated)}" if stated is not None else "none was stated"
    if not calibration.calibrated:
        return f"  NOT calibrated ({said})"
    return f"  calibrated on {(calibration.fitted_on or {}).get('n', '?')} answers ({said})"
