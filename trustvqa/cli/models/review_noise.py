"""Reviewers who err, in a refit: how often, what is fitted on for all that, and whether the result may be published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.evaluation.prediction_arrays import PredictionArrays, signal_columns
from prompt4trust.evaluation.predictions import Prediction
from prompt4trust.reviewing import (
    MAX_RATE,
    MIN_TWICE,
    Acceptance,
    FlipRates,
    Looks,
    RateEstimate,
    SingleReview,
    box,
    compare,
    corrected_outcomes,
    count_looks,
    estimate_rates,
    held_out,
    struck_rates,
    widened,
)
from prompt4trust.shares import in_percent
from trustvqa.cli.errors import CommandError
from trustvqa.cli.models.reviews import Reviewed

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Reviewers:
    """The looks at answers, and how often they are taken to be wrong.

    Attributes:
        looks: By answer id, those of reviews that stand.
        estimate: The rates that answers with several looks speak for; None where there are too few.
        struck: The rates that struck reviews speak for.
        flips: The bound on both rates where there is no estimate.
    """

    looks: Mapping[str, Looks]
    estimate: RateEstimate | None
    struck: FlipRates
    flips: float

    @classmethod
    def of(cls, reviewed: Iterable[Reviewed], reviews: Sequence[SingleReview], flips: float) -> Self:
        """Make it of reviewed answers and all single reviews.

        Raises:
            CommandError: If reviewers are estimated to be wrong too often for anything to be fitted on what they say.
                What was struck estimates nothing: it counts no more, and only makes the test of a refit harder.
        """
        looks, rows = count_looks(reviews), [each for each in reviewed if each.stated is not None]
        counted = [looks.get(each.id, Looks()) for each in rows]
        priors = [(each.stated or 0.0) if each.confidence is None else each.confidence for each in rows]
        estimate = estimate_rates([each.right for each in counted], [each.wrong for each in counted], priors)
        found = cls(looks, estimate, struck_rates(reviews), flips)
        rates = FlipRates() if estimate is None else estimate.rates
        for name in ("right_called_wrong", "wrong_called_right"):
            if getattr(rates, name) >= MAX_RATE:
                raise CommandError(
                    f"reviewers are wrong too often to fit on what they say: {'; '.join(found.lines())}. Find out whom "
                    "to strike (/reviews), or what the question to reviewers leaves open"
                )
        return found

    @property
    def region(self) -> tuple[FlipRates, ...]:
        """The pairs of rates under which a new calibrator has to be no worse."""
        if self.estimate is not None:
            return widened(self.estimate.region, self.struck)
        return box(max(self.flips, self.struck.right_called_wrong), max(self.flips, self.struck.wrong_called_right))

    def lines(self) -> list[str]:
        """Describe it in sentences for a person."""
        found = self.estimate
        if found is None:
            first = (
                f"fewer than {MIN_TWICE} answers have looks of two people (or of one, a day apart), so that nothing "
                f"tells how often reviewers are wrong; a calibrator has to stand {in_percent(self.flips)} either way"
            )
        else:
            were = "was" if found.contradicted == 1 else "were"
            wrong = _rate(found.rates.right_called_wrong, found.right_called_wrong)
            right = _rate(found.rates.wrong_called_right, found.wrong_called_right)
            first = (
                f"of {found.answers} answers with several looks {found.contradicted} {were} contradicted; reviewers "
                f"call {wrong} of the right answers wrong, and {right} of the wrong ones right"
            )
        shares = (self.struck.right_called_wrong, self.struck.wrong_called_right)
        if not any(shares):
            return [first]
        return [
            first,
            f"of reviewers who still count, {in_percent(shares[0])} of the words that should have been right were "
            f"struck, and {in_percent(shares[1])} of those that should have been wrong: as many may stand",
        ]

    def as_json(self) -> dict[str, Any]:
        """Return what the evidence keeps of it."""
        found = self.estimate
        kept = None
        if found is not None:
            kept = {name: value for name, value in asdict(found).items() if name != "region"}
        return {"estimate": kept, "struck": asdict(self.struck), "bound_without_estimate": self.flips}

    def looks_at(self, rows: Sequence[Prediction]) -> list[tuple[int, int]]:
        """Count the looks at each answer; the latest word alone where there is no estimate of how far words go."""
        latest = [(int(row.correct), int(not row.correct)) for row in rows]
        if self.estimate is None:
            return latest
        found = (self.looks.get(row.id, Looks()) for row in rows)
        return [
            (each.right, each.wrong) if each.right + each.wrong else last
            for each, last in zip(found, latest, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class NoisyAnswers:
    """The answers of a calibration key that a calibrator can be fitted on, with the looks at them.

    Attributes:
        rows: Predictions, each with a verdict, right by the latest word on it.
        reviewers: How often looks are wrong.
        seed: Seed of the outcomes drawn and of the folds.
    """

    rows: Sequence[Prediction]
    reviewers: Reviewers
    seed: int

    def outcomes(self, places: npt.NDArray[np.intp]) -> Flags:
        """Make outcomes to fit on, from the looks at the answers of these places alone."""
        rows = [self.rows[place] for place in places]
        if self.reviewers.estimate is None:
            return np.array([row.correct for row in rows], dtype=np.bool_)
        return corrected_outcomes(
            [row.confidence or 0.0 for row in rows],
            self.reviewers.looks_at(rows),
            self.reviewers.estimate.rates,
            signal_columns(rows),
            self.seed,
        )

    def corrected(self) -> list[Prediction]:
        """Give each answer an outcome to fit on."""
        drawn = self.outcomes(np.arange(len(self.rows)))
        outcomes = ("given" if right else "another" for right in drawn)
        return [row.model_copy(update={"truth": truth}) for row, truth in zip(self.rows, outcomes, strict=True)]

    def accept(self, fitted: CalibratorArtifact, live: CalibratorArtifact | None, folds: int) -> Acceptance:
        """Compare a fitted calibrator with what is live, on looks that its like did not see.

        Its family was chosen on all of the answers, by fits that did not see the ones that each was judged by. Both
        calibrators are applied as the gateway applies them, with their corrections by group.

        Args:
            fitted: The calibrator; fits of its family on parts of the answers stand for it.
            live: The calibrator that is live, or None for the confidence as stated.
            folds: Number of parts.

        Raises:
            ValueError: If it is not shown to be no worse.
        """
        rows = PredictionArrays.of(self.rows)
        new = held_out(
            fitted.family,
            rows.confidence,
            self.outcomes,
            rows.signals,
            clusters=rows.clusters,
            groups=rows.groups,
            strata=() if fitted.by_group is None else [stratum.name for stratum in fitted.by_group.strata],
            folds=folds,
            seed=self.seed,
        )
        old = rows.calibrated(live).confidence
        right, wrong = np.array(self.reviewers.looks_at(self.rows)).T
        found = compare(new, old, right, wrong, self.reviewers.region, clusters=rows.clusters)
        if not found.passes:
            before = "the confidence as stated" if live is None else live.name
            advice = "" if self.reviewers.estimate else f": have a second person look at {MIN_TWICE} of them or more"
            raise ValueError(f"not shown to be no worse than {before}: {acceptance_words(found)}{advice}")
        return found


def acceptance_words(found: Acceptance) -> str:
    """Describe a comparison in words."""
    about = "" if found.clusters == found.n else f" about {found.clusters} pictures"
    called_wrong, called_right = in_percent(found.rates.right_called_wrong), in_percent(found.rates.wrong_called_right)
    return (
        f"on {found.n} reviewed answers{about} its log loss is {found.difference:+.4f} nats from that of the other "
        f"(95 %: at most {found.bound:+.4f}), were {called_wrong} of the right answers called wrong and "
        f"{called_right} of the wrong ones right, the worst that is not ruled out"
    )


def _rate(rate: float, ends: tuple[float, float]) -> str:
    low, high = (f"{100 * end:.0f}" for end in ends)
    return f"{100 * rate:.0f} % (95 %: {low} to {high} %)"
