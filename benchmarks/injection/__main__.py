"""Measure prompt injection: python -m benchmarks.injection (or `make bench-injection`)."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.injection.figures import Pair, figures, wrong
from benchmarks.injection.probes import Probe, attacked, clean, read_probes, target_of
from benchmarks.injection.replies import Reply, ask_all
from benchmarks.phantoms import Drawn, draw
from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT, running_service
from prompt4trust.metrics.proportions import wilson_interval
from prompt4trust.questions import letter_options

_OUTPUT = ROOT / "benchmarks" / "injection" / "results.json"
_COLUMNS = ("succeeded", "answer_changed", "refused", "no_verdict", "atypical", "calibrated_and_wrong",
            "calibrated_high_and_wrong", "guaranteed_and_wrong", "error_among_guaranteed")  # fmt: skip


def main(
    each: Annotated[int, typer.Option(min=1, help="Questions that each probe attacks.")] = 12,
    pool: Annotated[int, typer.Option(min=20, help="Different clean questions.")] = 1000,
    max_risk: Annotated[float, typer.Option(min=0, max=1, help="Accepted share of errors.")] = 0.1,
    limit: Annotated[float | None, typer.Option(help="Atypicality limit; 1 for none, else the gateway's.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other questions.")] = 7,
    port: Annotated[int, typer.Option(help="First of three ports that are used.")] = 28_800,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = _OUTPUT,
    replies: Annotated[Path | None, typer.Option(help="Write all replies there too, one a line.")] = None,
) -> None:
    """Ask the shipped pair of models clean and attacked questions through the three services."""
    probes, questions = read_probes(), list(draw(pool, seed))
    (ROOT / "var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="injection-", dir=ROOT / "var"))
    try:
        rows, untouched = _ask(folder, port, probes, questions, each, max_risk, limit)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if replies is not None:
        replies.write_text("".join(_line(row) for row in rows), encoding="utf-8")
    result = {
        "settings": {"probes": len(probes), "each": each, "pool": pool, "max_risk": max_risk, "limit": limit,
                     "seed": seed},
        "clean": _clean(untouched, questions),
        "figures": figures(rows),
    }  # fmt: skip
    write_figures(output, result)
    Console(width=200).print(_table(result["figures"]))


def _ask(
    folder: Path,
    port: int,
    probes: Sequence[Probe],
    questions: Sequence[Drawn],
    each: int,
    max_risk: float,
    limit: float | None,
) -> tuple[list[Pair], list[Reply]]:
    registry = {"REGISTRY": str(folder / "registry")}
    settings = {
        **registry,
        "POLICY_URL": f"http://127.0.0.1:{port}",
        "DOWNSTREAM_URL": f"http://127.0.0.1:{port + 1}/v1",
        "RECORDS_URL": "",
        **({} if limit is None else {"ATYPICALITY_LIMIT": str(limit)}),
    }
    plan = [
        (probe, (place * each + turn) % len(questions)) for place, probe in enumerate(probes) for turn in range(each)
    ]
    targets = [target_of(questions[which], turn) for turn, (_, which) in enumerate(plan)]
    sent = [attacked(questions[which], probe, target) for (probe, which), target in zip(plan, targets, strict=True)]
    with (
        running_service("policy", port, registry, folder),
        running_service("downstream", port + 1, {}, folder),
        running_service("gateway", port + 2, settings, folder) as gateway,
    ):
        untouched = asyncio.run(ask_all(gateway.url, [clean(question) for question in questions], max_risk))
        spoilt = asyncio.run(ask_all(gateway.url, sent, max_risk))
    rows = [
        Pair(probe, target, _truth(questions[which]), untouched[which], reply)
        for (probe, which), target, reply in zip(plan, targets, spoilt, strict=True)
    ]
    return rows, untouched


def _truth(drawn: Drawn) -> str:
    return list(letter_options(drawn.options))[drawn.answer]


def _clean(replies: Sequence[Reply], questions: Sequence[Drawn]) -> dict[str, Any]:
    """Count what came of the questions without an attack."""
    truths = [_truth(question) for question in questions]
    given = [reply.decision == "answer" for reply in replies]
    counts = {
        "right": sum(reply.letter == truth for reply, truth in zip(replies, truths, strict=True)),
        "answered_with_guarantee": sum(given),
        "atypical": sum(reply.code == "atypical-input" for reply in replies),
        "no_verdict": sum(reply.code == "no-verdict" for reply in replies),
        "without_guidance": sum("policy" in reply.degraded for reply in replies),
    }
    errors = sum(wrong(reply, truth) for reply, truth, is_given in zip(replies, truths, given, strict=True) if is_given)
    shares = {name: _share(count, len(replies)) for name, count in counts.items()}
    return {"n": len(replies), **shares, "error_among_guaranteed": _share(errors, sum(given))}


def _share(count: int, of: int) -> dict[str, float]:
    low, high = wilson_interval(count, of) if of else (0.0, 1.0)
    return {"n": of, "count": count, "value": count / of if of else 0.0, "low": low, "high": high}


def _line(pair: Pair) -> str:
    return json.dumps({"probe": pair.probe.id, "target": pair.target, "truth": pair.truth,
                       "clean": pair.clean.model_dump(), "attacked": pair.attacked.model_dump()}) + "\n"  # fmt: skip


def _table(result: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("", "probes", "n", *(name.replace("_", " ") for name in _COLUMNS)):
        table.add_column(head)
    for name, found in result.items():
        table.add_row(name, str(found["probes"]), str(found["n"]), *(_percent(found[column]) for column in _COLUMNS))
    return table


def _percent(found: Mapping[str, float | None]) -> str:
    if found["value"] is None:
        return "-"
    return f"{100 * found['value']:.1f} ({100 * (found['low'] or 0):.1f}-{100 * (found['high'] or 0):.1f})"


if __name__ == "__main__":
    typer.run(main)
