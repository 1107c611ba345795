"""Figures of guided and of sampled methods, asked in batches without services: `python -m models.radiology.guided`.

The shipped model is asked in float32; prompts, decoding, verdicts and signals are those of the library. As for what
ships, calibrators are fitted on the fitting rows and chosen on the validation rows, guards are fitted on the guarding
rows, and test rows are asked once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from models.radiology.bench import SEED, Exam, open_bench
from models.radiology.data.questions import Asked, of_split, read_questions
from models.radiology.export import halves
from models.radiology.guidance import rounded
from models.radiology.results import DELTA, by_kind, stated_by_kind, table
from models.radiology.training.policy import hint_shares
from models.radiology.workshop import OPTION_ORDER
from models.staged_runs import begin_training
from prompt4trust.calibration import CalibrationKey, CalibratorArtifact, get_family
from prompt4trust.estimators._samples import Samples
from prompt4trust.estimators._tokens import letter_signals
from prompt4trust.evaluation import Prediction, choose_family, cross_fit, fit_calibrator
from prompt4trust.evaluation.prediction_arrays import PredictionArrays, carrying, correct_where, fitting_rows
from prompt4trust.evaluation.selection_trials import checked_answers
from prompt4trust.files import write_atomically
from prompt4trust.metrics import METRICS
from prompt4trust.metrics.consistency import consistency_band
from prompt4trust.metrics.intervals import metric_difference, sampled_metrics
from prompt4trust.models import Completion, Cost
from prompt4trust.question_signals.words import word_signals
from prompt4trust.selection import GuardArtifact, fit_guard
from prompt4trust.verdict import Invalid, Verdict, parse_verdict
from services.common.engine.parts.store import PartStore

PARTS = ("fitting", "validation", "guarding", "test")
WITHOUT_WORDS = ("two-signal", "several-signal")
"""Families that the one of words is compared with."""


def questions_by_part(data: Path) -> dict[str, list[Asked]]:
    """Read the questions of each of `PARTS` from a folder of VQA-RAD, options in the order of labelling."""
    everything = read_questions(data, OPTION_ORDER)
    first, second = halves(of_split(everything, "calibration"))
    return {
        "fitting": first,
        "validation": of_split(everything, "validation"),
        "guarding": second,
        "test": of_split(everything, "test"),
    }


def guided_rows(exam: Exam, replies: Sequence[Completion]) -> list[Prediction]:
    """Make the predictions of `cgp` and of `cgp+logprob` from the same replies: these differ by their signals alone."""
    rows = []
    for each, reply, verdict, signals in _read(exam, replies):
        rows += [
            predicted(each, "cgp", reply.text, verdict, {}),
            predicted(each, "cgp+logprob", reply.text, verdict, signals),
        ]
    return rows


def plain_rows(exam: Exam, replies: Sequence[Completion]) -> list[Prediction]:
    """Make the predictions of `verbalized` and of `logprob` from the same replies, which no hint was given to."""
    rows = []
    for each, reply, verdict, signals in _read(exam, replies):
        likely: Verdict | Invalid = verdict
        if isinstance(verdict, Verdict):
            likely = Verdict(verdict.answer, signals["letter_probability"]) if signals else Invalid("no_logprobs")
        rows += [
            predicted(each, "verbalized", reply.text, verdict, {}),
            predicted(each, "logprob", reply.text, likely, signals),
        ]
    return rows


def _read(
    exam: Exam, replies: Sequence[Completion]
) -> Iterator[tuple[Asked, Completion, Verdict | Invalid, dict[str, float]]]:
    for each, reply in zip(exam.asked, replies, strict=True):
        verdict = parse_verdict(reply.text, list(each.lettered))
        signals = letter_signals(reply, verdict.answer, each.lettered) if isinstance(verdict, Verdict) else {}
        yield each, reply, verdict, signals


def sampled_rows(exam: Exam, replies: Sequence[Sequence[Completion]]) -> list[Prediction]:
    """Make the predictions of `consistency`: the first sample's answer, and the share of the others that agree."""
    rows = []
    for each, texts in zip(exam.asked, replies, strict=True):
        samples = samples_of(each, texts)
        first = samples.verdicts[0]
        verdict = Verdict(first.answer, samples.agreement()) if isinstance(first, Verdict) else first
        rows.append(predicted(each, "consistency", texts[0].text, verdict, samples.signals()))
    return rows


def samples_of(asked: Asked, replies: Sequence[Completion]) -> Samples:
    """Read a question's samples as sampling estimators do."""
    texts = tuple(reply.text for reply in replies)
    read = {text: parse_verdict(text, list(asked.lettered)) for text in dict.fromkeys(texts)}  # most are alike
    return Samples(texts, tuple(read[text] for text in texts), asked.lettered, Cost(calls=len(replies)))


def predicted(
    asked: Asked, method: str, text: str, verdict: Verdict | Invalid, signals: Mapping[str, float]
) -> Prediction:
    """Record what a method makes of a reply, in the groups by which figures are told apart."""
    source = "generated" if asked.generated else "asked"
    return Prediction(
        id=asked.id,
        estimator=method,
        truth=list(asked.lettered)[asked.gold],
        groups={"kind": asked.kind, "source": source, "region": asked.region},
        picture=asked.picture,
        answer=verdict.answer if isinstance(verdict, Verdict) else None,
        confidence=verdict.confidence if isinstance(verdict, Verdict) else None,
        invalid=verdict.reason if isinstance(verdict, Invalid) else None,
        text=text,
        signals=signals if isinstance(verdict, Verdict) else {},
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Calibrator, its choice and guard of one method's rows.

    Attributes:
        rows: The method's own rows of each of `PARTS`.
        calibrator: Fitted on the fitting rows, of the family that the validation rows choose.
        guard: Fitted on the guarding rows; None where there are none.
    """

    rows: Mapping[str, Sequence[Prediction]]
    calibrator: CalibratorArtifact
    guard: GuardArtifact | None


def evidence_of(rows: Mapping[str, Sequence[Prediction]], method: str) -> Evidence:
    """Fit a method's calibrator and guard; no test row is looked at.

    Args:
        rows: Of each of `PARTS`.
        method: The estimator.
    """
    own = {part: [row for row in rows.get(part, ()) if row.estimator == method] for part in PARTS}
    key = CalibrationKey(downstream="radiology-1", policy=None, estimator=method, answer_template="answer-compact@1")
    choice = choose_family(own["fitting"], own["validation"], dataset="validation", seed=SEED)
    calibrator = fit_calibrator(
        own["fitting"], name=f"trial-{choice.chosen}", family=choice.chosen, key=key, dataset="fitting",
        clock=lambda: datetime.now(UTC), choice=choice, seed=SEED,
    )  # fmt: skip
    guard = None
    if own["guarding"]:
        guard = fit_guard(
            checked_answers(own["guarding"], calibrator), name="trial", key=key, dataset="guarding",
            clock=lambda: datetime.now(UTC), calibrator=calibrator, data_hash=f"sha256:{'0' * 64}", seed=SEED,
            unit="question",  # as the shipped guard, which it is beside
        )  # fmt: skip
    return Evidence(own, calibrator, guard)


def figures(rows: Mapping[str, Sequence[Prediction]], method: str) -> dict[str, Any]:
    """Fit a calibrator and a guard, and give the test rows' figures by kind.

    Args:
        rows: Of each of `PARTS`; without the guarding ones nothing is told of what is answered.
        method: The estimator.

    Returns:
        The calibrator's family, chosen by log loss on the validation rows; what `cross_fitted` gives; of the test rows
        the figures by kind and the ECE that chance alone makes, and the least risk that can be promised.
    """
    return figures_of(evidence_of(rows, method))


def figures_of(found: Evidence) -> dict[str, Any]:
    """Give the test rows' figures by kind, of a calibrator and a guard that are fitted; see `figures`."""
    own, calibrator, guard = found.rows, found.calibrator, found.guard
    confidence = [each.confidence or 0.0 for each in checked_answers(own["test"], calibrator)]
    return {
        "method": calibrator.key.estimator,
        "calibrator": calibrator.family,
        "n": {part: len(own[part]) for part in PARTS},
        "cross_fitted": cross_fitted([*own["fitting"], *own["validation"]]),
        "kinds": by_kind(own["test"], calibrator, guard),
        "ece_by_chance": rounded(consistency_band(confidence, METRICS["ece"], resamples=2000, seed=SEED)),
        **({} if guard is None else {"least_risk": round(guard.risk_rule(DELTA).least_risk, 4)}),
    }


def cross_fitted(rows: Sequence[Prediction]) -> dict[str, Any]:
    """Calibrate one estimator's rows by the best family, each without its picture's fold.

    No test row is needed, so that methods may be chosen by it.

    Args:
        rows: One estimator's, about pictures that the model was not trained on.

    Returns:
        The family, n, and ECE, log loss and AUROC with 95 % intervals by picture.
    """
    choice = choose_family(rows, dataset="fitting and validation", seed=SEED)
    [metrics] = [each.metrics for each in choice.candidates if each.family == choice.chosen]
    shown = {
        name: {end: None if value is None else round(value, 4) for end, value in metrics[name].items()}
        for name in ("ece", "nll", "auroc")
    }
    return {"family": choice.chosen, "n": choice.n, **shown}


def worded(rows: Sequence[Prediction], asked: Sequence[Asked]) -> list[Prediction]:
    """Give rows the words of question and chosen option, as a run of `trustvqa evaluate` records them."""
    by_id = {each.id: each for each in asked}
    found = []
    for row in rows:
        own = by_id[row.id]
        words = word_signals(own.text, own.lettered[row.answer] if row.answer else None)
        found.append(row.model_copy(update={"signals": {**row.signals, **words}}))
    return found


def words_figures(known: Sequence[Prediction], test: Sequence[Prediction]) -> dict[str, Any]:
    """Compare `correctness`, which has the words of question and answer, with families without them.

    Args:
        known: One estimator's rows with words, about pictures that are no test pictures.
        test: The same estimator's about the test pictures; asked once.

    Returns:
        What would be chosen by the folds of `known`; and for these, cross-fitted, and for the test rows, by what was
        fitted on all of `known`: n, and each family's log loss, AUROC and ECE, and what `correctness` differs by from
        the others, with 95 % intervals by picture.
    """
    families = (*WITHOUT_WORDS, "correctness")
    fitted_on, asked = PredictionArrays.of(fitting_rows(known)), PredictionArrays.of(test)
    crossed, applied = {}, {}
    for family in families:
        crossed[family] = cross_fit(
            family, fitted_on.confidence, fitted_on.correct, signals=fitted_on.signals, clusters=fitted_on.clusters,
            seed=SEED,
        )  # fmt: skip
        fitted = get_family(family).fit(fitted_on.confidence, fitted_on.correct, fitted_on.signals)
        usable = asked.valid & carrying(fitted, asked.signals, len(asked.ids))
        applied[family] = correct_where(fitted, asked.confidence, asked.signals, usable)
    choice = choose_family(known, dataset="all but test", families=families, seed=SEED)
    return {
        "chosen": choice.chosen,
        "refused": {each.family: each.refused for each in choice.candidates if each.refused is not None},
        "cross-fitted": _beside(fitted_on, crossed),
        "test": _beside(asked, applied),
    }


def _beside(rows: PredictionArrays, confidences: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"nll": METRICS["nll"], "auroc": METRICS["auroc"], "ece": METRICS["ece"]}
    found = {
        family: sampled_metrics(each, rows.correct, shown, clusters=rows.clusters, seed=SEED)
        for family, each in confidences.items()
    }
    told: dict[str, Any] = {"n": len(rows.ids), "pictures": len(set(rows.clusters))}
    for family, own in found.items():
        told[family] = {name: rounded(each.interval) for name, each in own.items()}
    for family in WITHOUT_WORDS:
        told[f"correctness less {family}"] = {
            name: rounded(metric_difference(each, found[family][name])) for name, each in found["correctness"].items()
        }
    return told


def main(
    data: Annotated[Path, typer.Option(help="Folder of VQA-RAD.")],
    shipped: Annotated[Path, typer.Option(help="The downstream model's directory.")],
    parts: Annotated[Path, typer.Option(help="Where the frozen parts lie.")],
    policy: Annotated[Path | None, typer.Option(help="A policy version's directory, for cgp and cgp+logprob.")] = None,
    plain: Annotated[bool, typer.Option(help="Ask without hints, for verbalized and logprob.")] = True,
    sampled: Annotated[bool, typer.Option(help="Ask for consistency, too: 21 samples a question.")] = False,
    calibrated: Annotated[bool, typer.Option(help="Ask the other pictures, too, and fit calibrator and guard.")] = True,
    guarded: Annotated[bool, typer.Option(help="Fit guards, too, on pictures of their own.")] = True,
    words: Annotated[bool, typer.Option(help="Tell what words of the questions add to logprob's calibrator.")] = False,
    book: Annotated[Path | None, typer.Option(help="File of replies that were given already; grows.")] = None,
    out: Annotated[Path, typer.Option(help="File that the figures are written into.")] = Path("guided.json"),
) -> None:
    """Measure, and write the figures as JSON and as tables."""
    log = begin_training()
    bench = open_bench(shipped, PartStore(parts, log), log, book)
    asked = questions_by_part(data)
    rows: dict[str, list[Prediction]] = {}
    left_out = () if guarded else ("guarding",)
    for name in [part for part in PARTS if part not in left_out] if calibrated else ["test"]:
        exam = bench.exam(asked[name], data)
        rows[name] = plain_rows(exam, bench.greedy(exam, [""] * len(exam.asked))) if plain else []
        if policy is not None:
            hints = bench.writer(policy)(asked[name])
            log(f"{name}: hints {hint_shares(asked[name], hints)}")
            rows[name] += guided_rows(exam, bench.greedy(exam, hints))
        if sampled:
            rows[name] += sampled_rows(exam, bench.sampled(exam))
        log(f"{name}: {len(rows[name])} predictions")
    found: dict[str, Any] = {}
    for method in dict.fromkeys(row.estimator for row in rows["test"]):
        found[method] = figures(rows, method) if calibrated else {"method": method}
        found[method]["stated"] = stated_by_kind([row for row in rows["test"] if row.estimator == method])
        typer.echo(f"{method}, as it comes\n{table(found[method]['stated'])}\n")
        if calibrated:
            own = found[method]
            typer.echo(f"{method}, {own['calibrator']}, least risk {own.get('least_risk')}\n{table(own['kinds'])}\n")
    if words and plain and calibrated and guarded:
        own = {
            part: worded([row for row in each if row.estimator == "logprob"], asked[part])
            for part, each in rows.items()
        }
        found["words"] = words_figures([row for part in PARTS[:-1] for row in own[part]], own["test"])
        typer.echo(json.dumps(found["words"], indent=2))
    write_atomically(out, json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
