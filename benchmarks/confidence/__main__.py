"""Confidences of this project and of other packages on the same questions: python -m benchmarks.confidence.

`make bench-confidence`; with PEERS=1 other packages are measured too, from an environment of their own.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.confidence.answer_runs import ASKED_WITH, SECOND, ask_all, servers
from benchmarks.confidence.questions import PARTS
from benchmarks.confidence.study import DEFAULT, Study
from benchmarks.confidence.table import differences_table, rows_table
from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT
from prompt4trust.estimators import ESTIMATORS

CHEAP = (
    *("verbalized", "fixed-prompt", "logprob", "top-k", "cgp", "cgp+logprob"),
    *("cgp+second-model", "cgp+picture", "cgp+picture+noise", "cgp+self-check", "cgp+typicality", "cgp+open"),
)
"""Methods of up to three replies."""
COSTLY = (
    *("cgp+relative", "perturbation", "consistency", "avg-conf", "avg-conf-all", "entropy", "entropy-spread"),
    *("meaning", "cgp+vote", "cgp+consistency"),
)
"""Methods of five replies, of ten and more. Not meaning+encoder, which is `meaning` where there are options."""


def main(
    n: Annotated[int, typer.Option(min=50, help="Test questions.")] = 5000,
    costly: Annotated[int, typer.Option(min=0, help="Test questions of what takes five calls and more.")] = 1000,
    methods: Annotated[str, typer.Option(help="Methods of few calls, with commas between.")] = ",".join(CHEAP),
    costly_methods: Annotated[str, typer.Option(help="Methods of many, likewise.")] = ",".join(COSTLY),
    samples: Annotated[int, typer.Option(min=2, help="Samples that other packages compare.")] = 5,
    python: Annotated[Path | None, typer.Option(help="Python of the other packages' environment.")] = None,
    scores: Annotated[bool, typer.Option(help="Have them score replies, which takes longest.")] = True,
    seconds: Annotated[float, typer.Option(help="Stop asking after this; the same command goes on.")] = 1e9,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions in flight at once.")] = 32,
    port: Annotated[int, typer.Option(help="First of three ports that are used.")] = 28_900,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples.")] = 1000,
    folder: Annotated[Path, typer.Option(help="Where questions, answers and calls are kept.")] = ROOT
    / "var"
    / "bench-confidence",
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "confidence"
    / "results.json",
) -> None:
    """Ask all methods the same questions of one server, and measure their confidences by one procedure."""
    few, many = _known(methods, "--methods"), _known(costly_methods, "--costly-methods")
    if DEFAULT not in few:
        raise typer.BadParameter(f"{DEFAULT} must be among them: others are compared with it", param_hint="--methods")
    study = Study(folder, n, min(costly, n), few, many if costly else (), samples, python, scores)
    if work := study.todo():
        with servers(port, folder / "logs", second=study.needs_second) as found:
            done = asyncio.run(ask_all(work, found, folder / "calls.db", concurrency, seconds))
        if not done:
            Console().print("time is up; the same command goes on where this stopped")
            raise typer.Exit(3)
    rows = study.rows(resamples)
    defaults = {each.n: each for each in rows if each.method == DEFAULT}
    paired = {f"{each.method} (n = {each.n})": each.less(defaults[each.n]) for each in rows if each.method != DEFAULT}
    console = Console(width=240)
    figures = [each.as_json() for each in rows]
    console.print(rows_table(figures))
    console.print(differences_table(paired))
    result = {
        "settings": {
            **ASKED_WITH,
            "second downstream": SECOND if study.needs_second else None,
            "questions": {part: PARTS[part].count(n) for part in PARTS},
            "questions of costly methods": {part: PARTS[part].count(study.costly_n) for part in PARTS}
            if costly
            else {},
            "resamples": resamples,
        },
        "rows": figures,
        f"less {DEFAULT}": paired,
        **study.others(),
    }
    write_figures(output, result)


def _known(methods: str, option: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in methods.split(",") if name.strip())
    if unknown := [name for name in names if name not in ESTIMATORS]:
        raise typer.BadParameter(f"no method {', '.join(unknown)}", param_hint=option)
    return names


if __name__ == "__main__":
    typer.run(main)
