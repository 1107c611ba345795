"""A small BERT that turns texts into directions, by numpy alone: where no model is loaded, such as the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import erf

Floats = npt.NDArray[np.float32]

LONGEST = 64
"""Word pieces of a text that is read, its two ends included; a longer one is like no other text."""
_EPSILON = 1e-12


class Encoder(Protocol):
    """Turns texts into directions, so that texts of one meaning lie near each other."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """Turn texts into rows of length 1, or 0 for a text that cannot be read as a whole; shape [n, d]."""
        ...


class Pieces(Protocol):
    """Cuts texts into word pieces."""

    def __call__(self, text: str) -> list[int]:
        """Give the numbers of a text's word pieces, its two ends included."""
        ...


class BertEncoder:
    """BERT's encoder with the mean of its last states as a text's direction (Reimers and Gurevych 2019, Sentence-BERT).

    The library that trained such models needs torch, which is four times as large as all that a gateway installs. Six
    layers are fifty lines, and are tested against transformers.

    Args:
        tensors: Weights by the names that transformers gives them in a BertModel, as float32.
        pieces: Cuts texts into word pieces of the model's vocabulary.
        heads: Heads of each layer's attention, at least 1.

    Raises:
        ValueError: If a weight is missing, or shapes do not fit.
    """

    def __init__(self, tensors: Mapping[str, Floats], pieces: Pieces, heads: int) -> None:
        self._tensors = tensors
        self._pieces = pieces
        self._heads = heads
        self._layers = 1 + max(
            (int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layer.")), default=-1
        )
        try:
            width = self._get("embeddings.word_embeddings.weight").shape[1]
            known = self._get("embeddings.position_embeddings.weight").shape[0]
            for layer in range(self._layers):
                self._get(f"encoder.layer.{layer}.output.LayerNorm.bias")
        except KeyError as error:
            raise ValueError(f"the encoder's weights lack {error.args[0]}") from None
        if self._layers == 0 or heads < 1 or width % heads or known < LONGEST:
            raise ValueError("the encoder's weights do not fit its heads, layers or longest text")

    def encode(self, texts: Sequence[str]) -> Floats:
        """Turn texts into directions.

        Args:
            texts: Any number; each is read by itself, whatever stands beside it.

        Returns:
            A row of length 1 a text, 0 where it has more than 64 word pieces; shape [n, d].
        """
        cut = [self._pieces(text) for text in texts]
        width = self._get("embeddings.word_embeddings.weight").shape[1]
        found = np.zeros((len(texts), width), dtype=np.float32)
        by_length: dict[int, list[int]] = {}
        for place, each in enumerate(cut):
            if 0 < len(each) <= LONGEST:
                by_length.setdefault(len(each), []).append(place)
        for places in by_length.values():  # of one length, so that nothing has to be filled up
            means = self._states(np.array([cut[place] for place in places])).mean(axis=1)
            found[places] = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), _EPSILON)
        return found

    def _states(self, pieces: npt.NDArray[np.intp]) -> Floats:
        """Compute the last layer's states of texts of one length; shape [n, length, d]."""
        states = (
            self._get("embeddings.word_embeddings.weight")[pieces]
            + self._get("embeddings.position_embeddings.weight")[: pieces.shape[1]]
            + self._get("embeddings.token_type_embeddings.weight")[0]
        )
        states = self._norm(states, "embeddings.LayerNorm")
        for layer in range(self._layers):
            at = f"encoder.layer.{layer}"
            seen = self._linear(self._attend(states, at), f"{at}.attention.output.dense")
            states = self._norm(states + seen, f"{at}.attention.output.LayerNorm")
            inner = self._linear(states, f"{at}.intermediate.dense")
            inner = inner * (0.5 * (1 + erf(inner / np.float32(np.sqrt(2)))))
            states = self._norm(states + self._linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        return states

    def _attend(self, states: Floats, at: str) -> Floats:
        n, length, width = states.shape

        def parts(name: str) -> Floats:
            made = self._linear(states, f"{at}.attention.self.{name}")
            return made.reshape(n, length, self._heads, width // self._heads).transpose(0, 2, 1, 3)

        scores = parts("query") @ parts("key").transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // self._heads))
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        seen: Floats = (weights @ parts("value")).transpose(0, 2, 1, 3).reshape(n, length, width)
        return seen

    def _linear(self, states: Floats, name: str) -> Floats:
        return states @ self._get(f"{name}.weight").T + self._get(f"{name}.bias")

    def _norm(self, states: Floats, name: str) -> Floats:
        middle = states - states.mean(axis=-1, keepdims=True)
        spread = np.sqrt((middle**2).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        return np.asarray(middle / spread * self._get(f"{name}.weight") + self._get(f"{name}.bias"), dtype=np.float32)

    def _get(self, name: str) -> Floats:
        return self._tensors[name]
