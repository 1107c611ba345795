"""Agreement of open answers by a sentence encoder: groups of near ones, and how near all of them lie to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from prompt4trust.meaning.agreement import Agreement, agreement_of, eccentricity
from prompt4trust.meaning.bert import Encoder
from prompt4trust.meaning.marks import marks_of
from prompt4trust.meaning.normalised import normalised

VERSION: Final = "minilm-2"
"""Names encoder, marks and threshold together, as calibration keys have it: a change of one is another version."""
THRESHOLD: Final = 0.55
"""Cosine from which on two answers say the same; see docs/results-confidence.md for how it was chosen."""
_SHARPNESS: Final = 10.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EmbeddedAgreement:
    """Measures of the agreement of one question's samples by an encoder.

    Attributes:
        groups: For each sample the name of its group; None for one without an answer.
        agreement: The measures by these groups.
        degree: Mean cosine of the chosen sample with all of them, itself included, 0 where marks differ; in [0, 1].
        centrality: 1 - its distance from the mean of all in the space of the graph of cosines, in [0, 1].
        concentration: 1 where all samples point one way, 0 where each points in a direction of its own: 1 - semantic
            isotropy, by the logarithm of the determinant of their Gram matrix.
    """

    groups: tuple[str | None, ...]
    agreement: Agreement
    degree: float
    centrality: float
    concentration: float


def embedded_agreement(
    answers: Sequence[str | None], encoder: Encoder, threshold: float = THRESHOLD
) -> EmbeddedAgreement | None:
    """Measure the agreement of samples of an open question.

    Answers of one spelling say the same. Others do where they differ in known synonyms and fillers alone (they have the
    same `marks_of`) and their cosine reaches the threshold; a group holds only answers of which every two do (complete
    linkage): a chain of near ones does not join its ends.

    Args:
        answers: For each sample its answer, at least 2; None for one without a verdict, which agrees with nobody.
        encoder: Turns answers into directions.
        threshold: In (0, 1].

    Returns:
        The measures; None where no sample has an answer.

    Raises:
        ValueError: If there is one sample or none.

    Source: degree and eccentricity of Lin et al. 2024 (arXiv 2305.19187), with cosines as likeness; the determinant of
    the Gram matrix of responses' embeddings after the idea of semantic volume (Li et al. 2025), the formula our own.
    """
    if len(answers) < 2:
        raise ValueError("agreement is of at least two samples")
    spelt = [None if answer is None else _spelling(answer) for answer in answers]
    different = list(dict.fromkeys(each for each in spelt if each is not None))
    if not different:
        return None
    near = _cosines(different, encoder)
    names = dict(zip(different, _group_names(different, near, threshold), strict=True))
    groups = tuple(None if each is None else names[each] for each in spelt)
    found = agreement_of(groups)
    if found is None:  # there is an answer, so there is a group
        raise AssertionError
    places = {each: place for place, each in enumerate(different)}
    likeness = np.eye(len(spelt))
    for row, mine in enumerate(spelt):
        for column, theirs in enumerate(spelt):
            if mine is not None and theirs is not None:
                likeness[row, column] = near[places[mine], places[theirs]]
    positive = np.maximum(likeness, 0.0)
    return EmbeddedAgreement(
        groups=groups,
        agreement=found,
        degree=min(float(positive[found.place].mean()), 1.0),
        centrality=1 - eccentricity(positive, found.place),
        concentration=_concentration(likeness),
    )


def _spelling(answer: str) -> str:
    """Write an answer in one spelling; what nothing is left of there is as it is written."""
    return normalised(answer) or " ".join(answer.casefold().split())


def _cosines(texts: Sequence[str], encoder: Encoder) -> Floats:
    """Compute the cosines of different texts, 0 where marks tell two apart; shape [m, m], positive semidefinite.

    Marks are equal or not, which divides the texts: cosines are kept within a division alone, in blocks, and each block
    is a Gram matrix.
    """
    if len(texts) == 1:
        return np.ones((1, 1))
    rows = np.asarray(encoder.encode(texts), dtype=np.float64)
    cosines = rows @ rows.T
    marks = [marks_of(text) for text in texts]
    same = np.array([[mine == theirs for theirs in marks] for mine in marks])
    found = np.where(same, np.clip(cosines, -1.0, 1.0), 0.0)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found, dtype=np.float64)


def _group_names(texts: Sequence[str], near: Floats, threshold: float) -> list[str]:
    """Name each text's group after the first text in it."""
    if len(texts) == 1:
        return list(texts)
    from scipy.cluster.hierarchy import fcluster, linkage  # takes time to import, and few need it
    from scipy.spatial.distance import squareform

    distances = np.maximum(1 - near, 0.0)
    np.fill_diagonal(distances, 0.0)
    joined = linkage(squareform(distances, checks=False), method="complete")
    labels = fcluster(joined, 1 - threshold + 1e-9, criterion="distance")
    first: dict[int, str] = {}
    return [first.setdefault(int(label), text) for label, text in zip(labels, texts, strict=True)]


def _concentration(gram: Floats) -> float:
    """Compute how little of the space samples fill: 1 for one direction, 0 for as many as there are samples.

    log det(I + s G) is largest, n log(1 + s), where all are at right angles (Hadamard), and least, log(1 + s n), where
    all are the same. The sharpness s says how near two must be to count as one direction.
    """
    n = len(gram)
    _, filled = np.linalg.slogdet(np.eye(n) + _SHARPNESS * gram)
    least, most = np.log1p(_SHARPNESS * n), n * np.log1p(_SHARPNESS)
    return float(np.clip((most - filled) / (most - least), 0.0, 1.0))
