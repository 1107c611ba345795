"""Choosing the next token, so that rounding noise never decides.

A row's logits differ in their last bits with the batch that it is computed in: matrix products sum in another order
for another shape. Sampling is therefore by the Gumbel-max trick (the most likely token after adding Gumbel noise is a
draw from the softmax), where such differences matter only if two candidates are all but equal. Rows for which that is
so are reported as unsettled; the scheduler computes them anew, alone, and lets that decide. Every choice is then a
function of the request and the seed only, as long as the noise stays below half the tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch

from prompt4trust.models import Sampling
from services.common.engine.decoding.randomness import uniforms

TIE_TOLERANCE: Final = 2e-4
"""Difference of two logits of float32 that rounding alone may make, half of it each; for large logits, more."""
TIE_SHARE: Final = 4e-5
"""The same as a share of a model's largest logit, which rounding grows with."""
_ALL = 1 << 62  # more tokens than any vocabulary has
_COLDEST = 1e-6  # divided by less, logits overflow; by this, only equal ones are drawn from


@dataclass(frozen=True, slots=True)
class SamplingRows:
    """Sampling parameters of a batch's rows as tensors, made once for each composition of the batch."""

    keys: torch.Tensor
    temperature: torch.Tensor
    top_p: torch.Tensor
    top_k: torch.Tensor
    draws: torch.Tensor
    any_draw: bool
    restricted: torch.Tensor | None

    @classmethod
    def of(cls, rows: Sequence[tuple[int, Sampling]], device: torch.device) -> SamplingRows:
        """Lay out rows of (sample key, parameters).

        Args:
            rows: One for each row of the batch.
            device: Where the logits are.
        """

        def tensor(values: list[float] | list[int] | list[bool], dtype: torch.dtype) -> torch.Tensor:
            return torch.tensor(values, dtype=dtype, device=device)

        draws = [params.temperature > 0 for _, params in rows]
        restricted = [i for i, (_, p) in enumerate(rows) if draws[i] and (p.top_p < 1 or p.top_k > 0)]
        return cls(
            keys=tensor([key for key, _ in rows], torch.int64),
            temperature=tensor(
                [max(p.temperature, _COLDEST) if p.temperature > 0 else 1.0 for _, p in rows], torch.float64
            ),
            top_p=tensor([p.top_p for _, p in rows], torch.float64),
            top_k=tensor([min(p.top_k, _ALL) if p.top_k > 0 else _ALL for _, p in rows], torch.int64),
            draws=tensor(draws, torch.bool),
            any_draw=any(draws),
            restricted=tensor(restricted, torch.int64) if restricted else None,
        )


def choose(
    logits: torch.Tensor, rows: SamplingRows, steps: torch.Tensor, tolerance: float
) -> tuple[list[int], list[int]]:
    """Choose every row's next token.

    Args:
        logits: [batch, vocabulary], any float type.
        rows: The rows' parameters.
        steps: How many tokens each row has chosen before, int64 [batch].
        tolerance: Bound on the difference of two logits that rounding may cause; 0 settles every row.

    Returns:
        The chosen tokens, and the numbers of the rows that are unsettled.
    """
    scores = logits.to(torch.float64)
    doubtful = None
    slack = tolerance / rows.temperature
    if rows.any_draw:
        scores = scores / rows.temperature[:, None]
        perturbed = scores - torch.log(-torch.log(uniforms(rows.keys, steps, logits.shape[-1])))
        perturbed = torch.where(rows.draws[:, None], perturbed, scores)
        if rows.restricted is not None:
            picked = rows.restricted
            kept, doubt = _restrict(scores[picked], rows.top_k[picked], rows.top_p[picked], slack[picked])
            doubtful = torch.full_like(perturbed, -torch.inf)
            doubtful[picked] = torch.where(doubt, perturbed[picked], -torch.inf)
            perturbed[picked] = torch.where(kept, perturbed[picked], -torch.inf)
        scores = perturbed
    best = torch.topk(scores, min(2, scores.shape[-1]), dim=-1)
    tokens: list[int] = best.indices[:, 0].tolist()
    if tolerance == 0 or scores.shape[-1] == 1:
        return tokens, []
    winner = best.values[:, 0]
    unsettled = winner - best.values[:, 1] < slack
    if doubtful is not None:
        unsettled |= doubtful.amax(dim=-1) > winner - slack
    return tokens, torch.nonzero(unsettled).flatten().tolist()


def _restrict(
    scores: torch.Tensor, top_k: torch.Tensor, top_p: torch.Tensor, slack: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find what top-k and then top-p keep, and the tokens whose being kept hangs on rounding.

    A token is kept by top-k if fewer than k tokens score higher, and by top-p if the higher-scoring ones' share of the
    top-k's probability is below p; at least one always is.

    Returns:
        Two bool tensors like the scores: kept, and in doubt (kept or not).
    """
    ordered, places = torch.sort(scores, dim=-1, descending=True)
    ascending = -ordered
    width = scores.shape[-1]
    ranks = torch.searchsorted(ascending, ascending, right=False)
    upper = torch.searchsorted(ascending, ascending - slack[:, None], right=False)  # those surely higher
    lower = torch.searchsorted(ascending, ascending + slack[:, None], right=True)  # all that may be higher, and itself
    k = top_k[:, None]
    in_k = ranks < k
    mass = torch.softmax(torch.where(in_k, ordered, -torch.inf), dim=-1)
    above = torch.nn.functional.pad(mass.cumsum(-1), (1, 0))
    p = top_p[:, None]
    no_cut = p >= 1
    blur = slack[:, None]  # a shift of the logits by d moves a share of the probability by less than d
    in_p = (above.gather(-1, ranks) < p) | no_cut
    surely_in = (lower - 1 < k) & ((above.gather(-1, lower.clamp(max=width)) - mass < p - blur) | no_cut)
    surely_out = (upper >= k) | ((above.gather(-1, upper) > p + blur) & ~no_cut)
    kept = in_k & in_p
    kept[:, 0] = True
    surely_in[:, 0] |= ~surely_out[:, 0] & (lower[:, 0] == 1)
    doubt = ~surely_in & ~surely_out
    back = torch.empty_like(kept)
    doubt_back = torch.empty_like(doubt)
    return back.scatter_(-1, places, kept), doubt_back.scatter_(-1, places, doubt)
