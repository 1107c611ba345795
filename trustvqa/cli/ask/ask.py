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

from trustvqa.cli.api_key import key_headers, refusal
from trustvqa.cli.ask.gateway_request import put_question
from trustvqa.cli.errors import CommandError, fail

_BAR_CELLS = 24


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
    gateway: Annotated[
        str, typer.Option(envvar="TRUSTVQA_URL", help="The gateway's address.")
    ] = "http://127.0.0.1:8080",
    as_json: Annotated[bool, typer.Option("--json", help="Print the reply as it came.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer.")] = 60.0,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds for which a gateway that is busy or away is asked again.")
    ] = 20.0,
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
        Console().print(render(body))
    raise typer.Exit(0 if body.get("decision") == "answer" else 3)


def render(reply: Mapping[str, Any]) -> Table:
    """Lay a gateway's reply out for a person.

    Args:
        reply: The body of a 200 from POST /vqa.

    Returns:
        A table of two columns.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    answer, calibration = reply.get("answer"), reply.get("calibration") or {}
    if answer:
        letter = f"{answer['letter']}. " if answer.get("letter") else ""
        table.add_row("Answer", escape(f"{letter}{answer['text']}"))
    else:
        table.add_row("Answer", "none: the model's reply could not be read")
    confidence = reply.get("confidence")
    if confidence is not None:
        table.add_row("Confidence", _bar(confidence) + _calibration_words(calibration))
    decision = "answer" if reply.get("decision") == "answer" else "defer to a person"
    reason = (reply.get("decision_basis") or {}).get("reason")
    table.add_row("Decision", escape(f"{decision}: {reason}" if reason else decision))
    remaining = reply.get("option_set")
    if remaining:
        table.add_row("Options left", escape(f"{', '.join(remaining['letters'])}: {remaining['reason']}"))
    for label, key in (("Guidance", "guidance_prompt"), ("Model said", "explanation")):
        if reply.get(key):
            table.add_row(label, escape(str(reply[key])))
    if reply.get("degraded"):
        table.add_row("Done without", escape(", ".join(map(str, reply["degraded"]))))
    models = reply.get("models") or {}
    table.add_row("Models", escape(", ".join(f"{role} {name}" for role, name in models.items() if name)))
    total = (reply.get("timing_ms") or {}).get("total")
    if total is not None:
        table.add_row("Time", f"{total:.0f} ms")
    return table


def _bar(confidence: float) -> str:
    filled = round(confidence * _BAR_CELLS)
    return f"{'█' * filled}{'░' * (_BAR_CELLS - filled)} {confidence:.0%}"


def _calibration_words(calibration: Mapping[str, Any]) -> str:
    stated = calibration.get("stated_confidence")
    said = f"the model stated {stated:.0%}" if stated is not None else "none was stated"
    if not calibration.get("calibrated"):
        return f"  NOT calibrated ({said})"
    fitted = calibration.get("fitted_on") or {}
    return f"  calibrated on {fitted.get('n', '?')} answers ({said})"
