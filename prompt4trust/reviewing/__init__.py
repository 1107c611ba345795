"""Reviews that may be wrong: how often they are, outcomes to fit on in spite of it, and when a refit is no worse."""

from prompt4trust.reviewing.acceptance import Acceptance, compare, held_out
from prompt4trust.reviewing.labels import chances_right, corrected_outcomes, draw_outcomes
from prompt4trust.reviewing.looks import Looks, SingleReview, count_looks, struck_rates
from prompt4trust.reviewing.rates import MAX_RATE, MIN_TWICE, FlipRates, RateEstimate, box, estimate_rates, widened

__all__ = [
    "MAX_RATE",
    "MIN_TWICE",
    "Acceptance",
    "FlipRates",
    "Looks",
    "RateEstimate",
    "SingleReview",
    "box",
    "chances_right",
    "compare",
    "corrected_outcomes",
    "count_looks",
    "draw_outcomes",
    "estimate_rates",
    "held_out",
    "struck_rates",
    "widened",
]
