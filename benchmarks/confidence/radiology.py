"""Confidences of ours and of other packages on real radiographs: python -m benchmarks.confidence.radiology.

The radiology pair's replies lie in a book (`models.radiology.bench.ReplyBook`): of every question a greedy reply
without a hint, with log-probabilities, and 21 samples without them. No model is asked. Calibrators are fitted on the
fitting pictures, their family is chosen on the validation pictures, thresholds of deferral are proved on the guarding
pictures, and the table is of the test pictures. What is written holds figures alone, no question and no reply.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final, NoReturn

import torch
import typer
from rich.console import Console

from benchmarks.confidence import peers
from benchmarks.confidence.answer_runs import SAMPLING
from benchmarks.confidence.figures import Row, calibrated, row
from benchmarks.confidence.material import server_reply
from benchmarks.confidence.table import COLUMNS, differences_table, rows_table
from benchmarks.results import write_figures
from benchmarks.serving.processes import ROOT
from models.radiology.bench import SEED, Exam, ReplyBook, weights_digest
from models.radiology.data.prompts import ANSWER_TEMPLATE
from models.radiology.data.questions import Asked
from models.radiology.guided import plain_rows, predicted, questions_by_part, samples_of
from prompt4trust.estimators import AvgConf, AvgConfAll, Consistency, Entropy, EntropySpread, Meaning
from prompt4trust.estimators._samples import Draws, Samples, SamplingEstimator
from prompt4trust.evaluation import Prediction, choose_family
from prompt4trust.evaluation.predictions import CostRecord
from prompt4trust.models import Completion
from prompt4trust.prompts import load_template

DEFAULT: Final = "logprob"
"""The pair's default, which others are set against."""
RISKS: Final = (0.1, 0.2)
KINDS: Final[tuple[type[SamplingEstimator], ...]] = (
    *(Consistency, AvgConf, AvgConfAll, Entropy, EntropySpread, Meaning),
)
"""Methods of the kept samples; the entropies, which draw 40, have as many as there are."""
DRAWN: Final = Draws().count
BESIDE: Final = DRAWN - 1
"""Samples that other packages compare, beside the greedy reply: as many calls as ours take."""
NOT_KEPT: Final = {
    "lm-polygraph MonteCarloSequenceEntropy": "needs the samples' probabilities, which were not kept",
    "medvlm's HAC": "needs a second look, at a blank picture, which was not kept",
    "cgp, cgp+logprob and others with guidance": "the book has replies without a hint",
}
_SHOWN: Final = {
    **{name: head for name, head in COLUMNS.items() if not name.startswith("answered")},
    **{"answered_at_10": "answered at 10 %", "wrong_at_10": "wrong"},
    **{"answered_at_20": "answered at 20 %", "wrong_at_20": "wrong"},
}
_PAIRED: Final = {name: _SHOWN[name] for name in ("auroc", "aurc", "ece", "answered_at_10", "answered_at_20")}

Answers = Mapping[str, Sequence[Prediction]]
"""Part -> one method's answers, in the order of the questions."""


@dataclass(frozen=True, slots=True)
class KeptReplies:
    """Replies of one model to the questions of each part.

    Attributes:
        asked: Part -> questions.
        book: Their replies.
    """

    asked: Mapping[str, Sequence[Asked]]
    book: ReplyBook

    def greedy(self, part: str) -> list[Completion]:
        """Take the greedy replies to a part's questions; ValueError where one is missing."""
        return [found[0] for found in self._replies(part, 1)]

    def samples(self, part: str) -> list[list[Completion]]:
        """Take the samples of a part's questions; ValueError where a question has none."""
        return self._replies(part, DRAWN)

    def _replies(self, part: str, count: int) -> list[list[Completion]]:
        found = [self.book.get(each, "", count) for each in self.asked[part]]
        kept = [each for each in found if each is not None]
        if len(kept) < len(found):
            missing = len(found) - len(kept)
            raise ValueError(f"the book lacks {count} repl{'y' if count == 1 else 'ies'} to {missing} {part} questions")
        return kept

    def ours(self) -> dict[str, dict[str, list[Prediction]]]:
        """Answer by each of our methods: method -> part -> answers."""
        found: dict[str, dict[str, list[Prediction]]] = {}
        for part, asked in self.asked.items():
            # An exam's pictures are looked at where a model is asked, which none is.
            exam = Exam(asked, [0] * len(asked), torch.empty(0))
            for each in plain_rows(exam, self.greedy(part)):
                own = found.setdefault(each.estimator, {}).setdefault(part, [])
                own.append(each.model_copy(update={"cost": CostRecord(calls=1)}))
            drawn = [samples_of(each, replies) for each, replies in zip(asked, self.samples(part), strict=True)]
            for kind in KINDS:
                method = kind(_Nobody(), load_template(ANSWER_TEMPLATE), SAMPLING)
                found.setdefault(kind.name, {})[part] = [
                    _judged(method, each, samples) for each, samples in zip(asked, drawn, strict=True)
                ]
        return found

    def write_material(self, out: Path) -> None:
        """Write what other packages score, all parts in one file (see `benchmarks.confidence.material`)."""
        lines = []
        for part, asked in self.asked.items():
            for each, reply, drawn in zip(asked, self.greedy(part), self.samples(part), strict=True):
                samples = [server_reply(sample) for sample in drawn[:BESIDE]]
                line = {"id": each.id, "reply": server_reply(reply), "samples": samples, "calls": 1, "seconds": 0.0}
                lines.append(json.dumps(line) + "\n")
        out.write_text("".join(lines), encoding="utf-8")


def theirs(
    found: Mapping[str, Any], base: Answers, material: Path
) -> Iterator[tuple[str, dict[str, list[Prediction]]]]:
    """Answer as `verbalized` does, each time with one of other packages' scores as the confidence.

    Args:
        found: What `peer_scores.py` wrote.
        base: The answers whose replies were scored.
        material: The file of these.
    """
    for scorer, scored in found.items():
        if not isinstance(scored, dict) or "scores" not in scored:
            continue
        cost = CostRecord(calls=DRAWN if scored["samples"] else 1)
        yield (
            scorer,
            {
                part: [each.model_copy(update={"cost": cost}) for each in peers.scored(scorer, scored, rows, material)]
                for part, rows in base.items()
            },
        )


def measured(method: str, answers: Answers, resamples: int) -> Row:
    """Choose and fit a calibrator, prove thresholds, and measure a method on the test pictures.

    Args:
        method: Its name.
        answers: Its answers in all of `PARTS`.
        resamples: Of the bootstrap, by picture.

    Raises:
        CannotChooseError: If answers are too few to choose a calibrator by.
    """
    return row(
        method,
        *(answers[part] for part in ("fitting", "guarding", "test")),
        family=_family(answers),
        risks=RISKS,
        resamples=resamples,
        seed=SEED,
    )


def fits(python: Path, answers: Answers, folder: Path) -> dict[str, Any]:
    """Have other packages defer and make option sets by a method's calibrated answers (see `peer_fits.py`)."""
    family = _family(answers)
    given: dict[str, Any] = {"risks": RISKS}
    for name, part in (("guard", "guarding"), ("test", "test")):
        given[name] = peers.checked(calibrated(answers["fitting"], answers[part], family=family, seed=SEED))
    return peers.fits(python, given, folder)


def report(kept: KeptReplies, rows: Sequence[Row], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Gather what is written: how many questions and pictures there were, and the methods' figures and differences."""
    default = next(each for each in rows if each.method == DEFAULT)
    return {
        "settings": {
            **settings,
            "template": ANSWER_TEMPLATE,
            "questions": {part: len(asked) for part, asked in kept.asked.items()},
            "pictures": {part: len({each.picture for each in asked}) for part, asked in kept.asked.items()},
            "samples": DRAWN,
            "seed": SEED,
        },
        # Kept replies tell no time.
        "rows": [{name: value for name, value in each.as_json().items() if name != "seconds"} for each in rows],
        f"less {DEFAULT}": {each.method: each.less(default) for each in rows if each is not default},
    }


def _family(answers: Answers) -> str:
    found = choose_family(answers["fitting"], answers["validation"], dataset="validation", resamples=2, seed=SEED)
    return found.chosen


def _judged(method: SamplingEstimator, asked: Asked, samples: Samples) -> Prediction:
    answer = method.judge(samples)
    made = predicted(asked, method.name, answer.text, answer.verdict, answer.signals)
    return made.model_copy(update={"cost": CostRecord(calls=answer.cost.calls)})


class _Nobody:
    """A downstream model that there is none of."""

    async def complete(self, *_: object, **__: object) -> NoReturn:
        raise RuntimeError("replies were kept: no model is asked")


def main(
    data: Annotated[Path, typer.Option(help="Folder of VQA-RAD.")],
    book: Annotated[Path, typer.Option(help="File of replies, as models.radiology.guided keeps them.")],
    shipped: Annotated[Path, typer.Option(help="Directory of the model that replied.")] = ROOT
    / "models"
    / "radiology-1",
    python: Annotated[Path | None, typer.Option(help="Python of the other packages' environment.")] = None,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples, by picture.")] = 1000,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = ROOT
    / "benchmarks"
    / "confidence"
    / "results-radiology.json",
) -> None:
    """Measure all methods that the kept replies allow by one procedure."""
    kept = KeptReplies(questions_by_part(data), ReplyBook(book, weights_digest(shipped)))
    methods: dict[str, Answers] = {**kept.ours()}
    others: dict[str, Any] = {}
    if python is not None:
        with TemporaryDirectory() as name:
            folder = Path(name)
            material = folder / "material.jsonl"
            kept.write_material(material)
            found = peers.scores(python, material, folder / "scores.json")
            methods |= dict(theirs(found, methods["verbalized"], material))
            refused = {**found["refused"], **NOT_KEPT}
            others = {**fits(python, methods[DEFAULT], folder), "versions": found["versions"], "refused": refused}
    rows = [measured(method, answers, resamples) for method, answers in methods.items()]
    result = report(kept, rows, {"downstream": shipped.name, "resamples": resamples})
    console = Console(width=300)
    console.print(rows_table(result["rows"], _SHOWN))
    console.print(differences_table(result[f"less {DEFAULT}"], _PAIRED))
    write_figures(output, {**result, "other packages": others} if others else result)


if __name__ == "__main__":
    typer.run(main)
