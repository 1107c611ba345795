"""Confidences of open answers, by the product's own commands: python -m benchmarks.open_questions.

Phantom questions are asked without their options. `trustvqa calibrate`, `evaluate` and `guard` make the evidence,
judged by `normalised-1`; what it comes to is measured on other questions, and a gateway is asked some of these. A
gateway with what ships, which has no evidence for open questions, is asked them too: it must defer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from benchmarks.confidence.answer_runs import ASKED_WITH, DOWNSTREAM, POLICY, TEMPLATE, Servers, servers
from benchmarks.confidence.table import interval
from benchmarks.open_questions.decisions import decisions
from benchmarks.open_questions.material import COLUMNS, run_command, write_open
from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT, running_service
from prompt4trust.datasets import load_dataset, parse_columns
from prompt4trust.meaning import DEFAULT_JUDGE
from prompt4trust.metrics.proportions import wilson_interval
from prompt4trust.questions import Question

METHODS: Final = ("verbalized", "logprob", "cgp", "cgp+logprob", "meaning")
RISKS: Final = (0.1, 0.2)
_DRAWN: Final[Mapping[str, tuple[str, int, int]]] = {
    "calibration": ("calibration", 21, 500),
    "guard": ("calibration", 22, 800),
    "test": ("test", 23, 800),
}
"""Part -> its split of Phantom-VQA, the seed of its draw, and the questions that a file of it holds."""
_FIGURES: Final = ("accuracy", "valid_rate", "auroc", "aurc", "ece", "nll")


def main(
    calibration: Annotated[int, typer.Option(min=100, max=500, help="Questions to fit calibrators on.")] = 500,
    guard: Annotated[int, typer.Option(min=100, max=800, help="Questions to prove thresholds on.")] = 700,
    test: Annotated[int, typer.Option(min=100, max=800, help="Questions that are reported.")] = 700,
    asked: Annotated[int, typer.Option(min=1, help="Questions of the test file that gateways are asked.")] = 60,
    port: Annotated[int, typer.Option(help="First of four ports that are used.")] = 28_950,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples.")] = 1000,
    folder: Annotated[Path, typer.Option(help="Where questions, runs and evidence are kept.")] = ROOT
    / "var"
    / "bench-open-questions",
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "open_questions"
    / "results.json",
) -> None:
    """Run the three commands, measure what comes of them, and ask a gateway with that evidence and one without."""
    counts = {"calibration": calibration, "guard": guard, "test": test}
    files = {
        part: write_open(folder / part, held, split=split, seed=seed) for part, (split, seed, held) in _DRAWN.items()
    }
    registry, shipped = folder / "registry", folder / "logs" / "registry"
    with servers(port, folder / "logs") as found:
        report, promises = evidence(found, files, counts, folder, resamples)
        questions = list(load_dataset(files["test"], columns=parse_columns(COLUMNS)).questions)[:asked]
        with_evidence = {
            method: {f"{risk:g}": told for risk, told in _asked(found, port + 2, registry, folder, questions, method)}
            for method in ("logprob", "cgp+logprob")
        }
        without = {
            f"{risk:g}": told for risk, told in _asked(found, port + 3, shipped, folder, questions, "cgp+logprob")
        }
    rows = table(report, promises)
    result = {
        "settings": {
            **ASKED_WITH,
            "judge": DEFAULT_JUDGE,
            "questions": {**counts, "asked of a gateway": len(questions)},
            "resamples": resamples,
        },
        "rows": rows,
        "a gateway with this evidence": with_evidence,
        "a gateway with what ships": without,
    }
    console = Console(width=200)
    for method, each in rows.items():
        told = ", ".join(f"{name} {interval(value)}" for name, value in each.items() if isinstance(value, dict))
        console.print(f"{method}: {told}", highlight=False)
    console.print_json(json.dumps({"with": with_evidence, "without": without}))
    write_figures(output, result)


def evidence(
    found: Servers, files: Mapping[str, Path], counts: Mapping[str, int], folder: Path, resamples: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run `calibrate`, `evaluate` and `guard`, and `evaluate` on the reported questions.

    Returns:
        The report of the reported questions, and what `guard --report-data` says of each method.
    """
    methods = ",".join(METHODS)
    models = (
        *("--downstream-url", f"{found.downstream}/v1", "--policy-url", found.policy, "--model", DOWNSTREAM),
        *("--template", TEMPLATE, "--policy-version", POLICY, "--concurrency", "8"),
    )
    asked = ("--judge", DEFAULT_JUDGE, "--columns", COLUMNS, "--methods", methods, *models)

    def out(part: str) -> tuple[str, ...]:
        return "--data", str(files[part]), "--limit", str(counts[part]), "--out", str(folder / "runs" / part)

    where = ("--registry", str(folder / "registry"))
    run_command("calibrate", *asked, *out("calibration"), *where)
    run_command("evaluate", *asked, *out("guard"), *where, "--calibrator", "none", "--resamples", "2")
    report = run_command("evaluate", *asked, *out("test"), *where, "--resamples", str(resamples), "--json")
    runs = ("--run", str(folder / "runs" / "guard"), "--report-data", str(folder / "runs" / "test"))
    promises = run_command("guard", *runs, "--scale", "calibrated", *where, "--json")
    return json.loads(report), json.loads(promises)


def table(report: Mapping[str, Any], promises: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Make a row of each method: figures as stated, calibrated, and what is answered at a guaranteed risk.

    Args:
        report: What `evaluate --json` printed.
        promises: What `guard --report-data --json` did.
    """
    rows: dict[str, dict[str, Any]] = {}
    for each in report["methods"]:
        method, figures = each["estimator"], {name: each["figures"]["all"][name] for name in _FIGURES}
        if each["calibrator"] is None:
            rows.setdefault(method, {}).update({"n": each["figures"]["n"], "failed": each["failed"], **figures})
        else:
            family = each["name"].removeprefix(f"{method} + ")
            corrected = {f"{name}_calibrated": figures[name] for name in ("auroc", "aurc", "ece", "nll")}
            rows.setdefault(method, {}).update({"family": family, **corrected})
    for promise in promises:
        for trial in promise["risks"]:
            if trial["max_risk"] in RISKS:
                points = round(100 * trial["max_risk"])
                rows[promise["method"]][f"answered_at_{points}"] = share(trial["answered"], trial["questions"])
                rows[promise["method"]][f"wrong_at_{points}"] = share(trial["wrong"], trial["answered"])
        rows[promise["method"]]["least_risk"] = promise["least_risk"]
    return rows


def share(part: int, whole: int) -> dict[str, float | None]:
    """Compute a share with its 95 % interval (Wilson's); all None of nothing.

    Example:
        >>> share(8, 10)["value"], share(0, 0)["value"]
        (0.8, None)
    """
    if whole == 0:
        return {"value": None, "low": None, "high": None}
    low, high = wilson_interval(part, whole)
    return {"value": part / whole, "low": low, "high": high}


def _asked(
    found: Servers, port: int, registry: Path, folder: Path, questions: Sequence[Question], method: str
) -> list[tuple[float, dict[str, Any]]]:
    """Ask a gateway with a registry the questions at each risk."""
    settings = {
        "POLICY_URL": found.policy,
        "DOWNSTREAM_URL": f"{found.downstream}/v1",
        "REGISTRY": str(registry),
        "RECORDS_URL": f"sqlite:///{folder / 'records.db'}",
        "METHODS": json.dumps(METHODS),
    }
    with running_service("gateway", port, settings, folder / "logs", ready="/health/live") as gateway:
        return [(risk, decisions(gateway.url, questions, method, risk).as_json()) for risk in RISKS]


if __name__ == "__main__":
    typer.run(main)
