"""Scores of other packages, by the Python of an environment that holds them: peer_scores.py MATERIAL OUT.

MATERIAL is what `material.py` writes. OUT gets an object: scorer -> {"scale": ..., "samples": whether it compares
samples, "scores": {question's id: score}}, and under "refused" each scorer that cannot be run, with the reason. Scores
are as the package gives them; of scale "confidence" in [0, 1] and more is surer, of scale "uncertainty" any number and
less is surer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

_HUB = "needs a model of a hub (an entailment model or sentence encoder), which is not here"
_WHOLE = "needs the probabilities of the whole vocabulary; a server gives the 20 likeliest"
SAMPLED = {
    *("exact_match", "MonteCarloSequenceEntropy", "LexicalSimilarity_rougeL"),
    *("DegMat_Jaccard_score", "EigValLaplacian_Jaccard_score", "Eccentricity_Jaccard_score"),
}
"""Scorers that compare samples."""
REFUSED = {
    "uqlm semantic_negentropy, noncontradiction, entailment, semantic_sets_confidence, semantic_density": _HUB,
    "uqlm cosine_sim, consistency_and_confidence, bert_score": _HUB,
    "lm-polygraph SemanticEntropy, NumSemSets, SAR, DegMat/Eccentricity/EigValLaplacian by NLI": _HUB,
    "lm-polygraph SelfCertainty, RenyiNeg, FisherRao": _WHOLE,
    "medvlm's VASE, RadFlag, semantic entropy": "load a hub's model, and ask no server",
    "lm-polygraph Mahalanobis distances, RAUQ, attention scores": "need hidden states or attention, not a server",
}


def main() -> None:
    """Score the replies."""
    material = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    ids = [each["id"] for each in material]
    found: dict[str, Any] = {"refused": REFUSED, "versions": {}}
    for package, score in (("uqlm", uqlm_scores), ("lm-polygraph", polygraph_scores)):
        for scale, name, values in score(material):
            scores = {question: float(value) for question, value in zip(ids, values, strict=True)}
            found[f"{package} {name}"] = {"scale": scale, "samples": name in SAMPLED, "scores": scores}
        found["versions"][package] = version(package)
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


def uqlm_scores(material: Sequence[dict[str, Any]]) -> list[tuple[str, str, Sequence[float]]]:
    """Score by uqlm: of one reply's log-probabilities, and of samples that are the same text."""
    from uqlm import BlackBoxUQ, WhiteBoxUQ

    names = ["sequence_probability", "min_probability", "probability_margin", "mean_token_negentropy"]
    logprobs = [each["reply"]["tokens"] for each in material]
    white = WhiteBoxUQ(scorers=names, top_k_logprobs=20)
    result = asyncio.run(white.score(logprobs_results=logprobs, show_progress_bars=False)).data
    found = [("confidence", name, result[name]) for name in names]
    if all(each["samples"] for each in material):
        samples = [[sample["text"] for sample in each["samples"]] for each in material]
        black = BlackBoxUQ(scorers=["exact_match"])
        replies = [each["reply"]["text"] for each in material]
        data = black.score(responses=replies, sampled_responses=samples, show_progress_bars=False).data
        found.append(("confidence", "exact_match", data["exact_match"]))
    return found


def polygraph_scores(material: Sequence[dict[str, Any]]) -> list[tuple[str, str, Sequence[float]]]:
    """Score by lm-polygraph: of one reply's log-probabilities, and of samples by their words."""
    import numpy as np
    from lm_polygraph.estimators.deg_mat import DegMat
    from lm_polygraph.estimators.eccentricity import Eccentricity
    from lm_polygraph.estimators.eig_val_laplacian import EigValLaplacian
    from lm_polygraph.estimators.lexical_similarity import LexicalSimilarity
    from lm_polygraph.estimators.max_probability import MaximumSequenceProbability
    from lm_polygraph.estimators.monte_carlo_sequence_entropy import MonteCarloSequenceEntropy
    from lm_polygraph.estimators.perplexity import Perplexity
    from lm_polygraph.estimators.token_entropy import MeanTokenEntropy

    def entropy(token: dict[str, Any]) -> float:
        shares = np.exp([each["logprob"] for each in token["top_logprobs"]])
        return float(-(shares * np.log(shares)).sum())  # of the 20 likeliest: next to all there is

    stats: dict[str, Any] = {
        "greedy_log_likelihoods": [[token["logprob"] for token in each["reply"]["tokens"]] for each in material],
        "entropy": [[entropy(token) for token in each["reply"]["tokens"]] for each in material],
    }
    estimators: list[Callable[[Any], Any]] = [MaximumSequenceProbability(), Perplexity(), MeanTokenEntropy()]
    if all(each["samples"] for each in material):
        stats["sample_texts"] = [[sample["text"] for sample in each["samples"]] for each in material]
        if all(sample["tokens"] for each in material for sample in each["samples"]):
            stats["sample_log_probs"] = [
                [sum(token["logprob"] for token in sample["tokens"]) for sample in each["samples"]] for each in material
            ]
            estimators.append(MonteCarloSequenceEntropy())
        estimators.append(LexicalSimilarity("rougeL"))
        estimators += [kind(similarity_score="Jaccard_score") for kind in (DegMat, EigValLaplacian, Eccentricity)]
    return [("uncertainty", str(each), each(stats)) for each in estimators]


if __name__ == "__main__":
    main()
