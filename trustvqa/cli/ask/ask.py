"""`trustvqa ask`: a picture and a question to the gateway, a readable answer back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import stamina.instrumentation
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trustvqa.cli.addresses import GatewayAddress
from trustvqa.cli.api_key import key_headers, refusal
from trustvqa.cli.ask.gateway_request import put_question
from trustvqa.cli.errors import CommandError, fail
from trustvqa.cli.running_stack import default_address

_BAR_CELLS = 24
_NEARLY_ONE = 0.99


def ask(
    image: Annotated[Path, typer.Argument(help="The picture.", exists=True, dir_okay=False, readable=True)],
    question: Annotated[str, typer.Argument(help="The question about it.")],
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="An answer to choose from; give it 2 to 26 times.")
    ] = None,
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
    gateway: GatewayAddress = None,
    show_guess: Annotated[
        bool, typer.Option("--show-guess", help="Where the decision is to defer, show what the model would have said.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reply as it came.")] = False,
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
    fields: dict[str, Any] = {"question": question, "options": option or []}
    if method is not None:
        fields["method"] = method
    if max_risk is not None:
        fields["max_risk"] = str(max_risk)
    if coverage is not None:
        fields["coverage"] = str(coverage)
    stamina.instrumentation.set_on_retry_hooks([])  # they are said below, in plain words
    console = Console(stderr=True)
    gateway = gateway or default_address("gateway")
    try:
        with httpx.Client(base_url=gateway, headers=key_headers()) as http:
            response = put_question(
                http,
                fields,
                image.read_bytes(),
                name=image.name,
                patience_s=patience,
                timeout_s=timeout,
                before_again=lambda why: console.print(escape(f"{gateway}: {why}; asking again"), style="dim"),
            )
        body = response.json()
    except CommandError as error:
        fail(str(error))
    except httpx.ConnectTimeout:
        fail(f"{gateway} cannot be reached (no connection in time): is it running? `make up` starts it")
    except httpx.TimeoutException:
        fail(f"no answer from {gateway} within {timeout:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fail(f"{gateway} cannot be reached ({error}): is it running? `make up` starts it")
    except ValueError:
        fail(f"{gateway} does not speak as a TrustVQA gateway does")
    if response.status_code != 200:
        fail(refusal(response.status_code, body) or str(body.get("detail") or body.get("title") or body))
    if as_json:
        print(json.dumps(body, indent=2, ensure_ascii=False))  # noqa: T201 - the command's output
    else:
        Console().print(render(body, show_guess=show_guess))
    raise typer.Exit(0 if body.get("decision") == "answer" else 3)


def render(reply: Mapping[str, Any], *, show_guess: bool = False) -> Table:
    """Lay a gateway's reply out for a person.

    A deferral is no answer: what the model said is left out of it, unless it is asked for, and then named a guess.

    Args:
        reply: The body of a 200 from POST /vqa.
        show_guess: Whether the model's guess of a deferral is shown.

    Returns:
        A table of two columns.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    deferred = reply.get("decision") != "answer"
    reason = (reply.get("decision_basis") or {}).get("reason")
    if deferred:
        table.add_row("No answer", escape("there is no reliable one: judge the picture yourself"))
        table.add_row("Why", escape(reason or "the gateway defers to a person"))
    else:
        _add_answer(table, "Answer", reply)
        table.add_row("Decision", escape(f"answer: {reason}" if reason else "answer"))
    remaining = reply.get("option_set")
    if remaining:
        table.add_row("Options left", escape(f"{', '.join(remaining['letters'])}: {remaining['reason']}"))
    if reply.get("guidance_prompt"):
        table.add_row("Guidance", escape(str(reply["guidance_prompt"])))
    if not deferred:
        _add_explanation(table, reply)
    if reply.get("degraded"):
        table.add_row("Done without", escape(", ".join(map(str, reply["degraded"]))))
    models = reply.get("models") or {}
    table.add_row("Models", escape(", ".join(f"{role} {name}" for role, name in models.items() if name)))
    total = (reply.get("timing_ms") or {}).get("total")
    if total is not None:
        table.add_row("Time", f"{total:.0f} ms")
    if deferred and show_guess:
        _add_answer(table, "Guess", reply)
        _add_explanation(table, reply)
    elif deferred:
        table.add_row("Guess", "left out, as it is not to be relied on; --show-guess shows it")
    return table


def _add_answer(table: Table, label: str, reply: Mapping[str, Any]) -> None:
    answer, confidence = reply.get("answer"), reply.get("confidence")
    if answer:
        letter = f"{answer['letter']}. " if answer.get("letter") else ""
        table.add_row(label, escape(f"{letter}{answer['text']}"))
    else:
        table.add_row(label, "none: the model's reply could not be read")
    if confidence is not None:
        table.add_row("Confidence", _bar(confidence) + _calibration_words(reply.get("calibration") or {}))


def _add_explanation(table: Table, reply: Mapping[str, Any]) -> None:
    if reply.get("explanation"):
        table.add_row("Model said", escape(str(reply["explanation"])))


def percent(share: float) -> str:
    """Write a probability in percent; what is not certain is never written as if it were.

    Example:
        >>> percent(0.9957), percent(0.82), percent(0.004), percent(1.0)
        ('more than 99 %', '82 %', 'less than 1 %', 'more than 99 %')
    """
    if share > _NEARLY_ONE:
        return "more than 99 %"
    return "less than 1 %" if share < 1 - _NEARLY_ONE else f"{100 * share:.0f} %"


def _bar(confidence: float) -> str:
    filled = round(confidence * _BAR_CELLS)
    return f"{'█' * filled}{'░' * (_BAR_CELLS - filled)} {percent(confidence)}"


def _calibration_words(calibration: Mapping[str, Any]) -> str:
    stated = calibration.get("stated_confidence")
    said = f"the model stated {percent(stated)}" if stated is not None else "none was stated"
    if not calibration.get("calibrated"):
        return f"  NOT calibrated ({said})"
    fitted = calibration.get("fitted_on") or {}
    return f"  calibrated on {fitted.get('n', '?')} answers ({said})"
