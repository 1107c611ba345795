"""Prompts that were read a moment ago: another one that begins alike reads only what is new.

An answer asks for the same picture, question and options with guidance behind them, training asks for them with many
guidances, and a gateway may have them read while the guidance is still being written. What is kept are the keys and
values of a prompt's tokens. They may be used for the first tokens of another prompt if these are the same ones, and if
both prompts show the same pictures: nothing else goes into them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from services.common.engine.model.prompt import Prompt

_LEAST = 16
"""Fewest tokens that are worth a pass of their own."""
_NEW_SHARE = 0.5
"""A prompt is kept, too, if it has at least so much that was not kept before."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptPrompt:
    """Keys and values of a prompt.

    Attributes:
        tokens: Its tokens, int64 [tokens].
        pictures: Digest of its pictures.
        keys: Of each layer, [key-value heads, tokens, width].
        values: Like the keys.
    """

    tokens: npt.NDArray[np.int64]
    pictures: bytes
    keys: Sequence[torch.Tensor]
    values: Sequence[torch.Tensor]

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return self.tokens.nbytes + sum(part.nbytes for part in (*self.keys, *self.values))


@dataclass(frozen=True, slots=True)
class Beginning:
    """The part of a prompt that need not be read.

    Attributes:
        kept: The prompt that begins alike.
        length: How many tokens are alike.
    """

    kept: KeptPrompt
    length: int


class PrefixCache:
    """Prompts with pictures that were read last, least recently used first; for one thread.

    Args:
        entries: Most prompts; 0 keeps none.
        max_bytes: Most bytes of all together.
    """

    def __init__(self, entries: int, max_bytes: int) -> None:
        self._entries = entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[int, KeptPrompt] = OrderedDict()
        self._next = 0
        self._size = 0
        self._too_long: int | None = None

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes that are taken."""
        return self._size

    def find(self, prompt: Prompt) -> Beginning | None:
        """Find the longest beginning of a prompt, at least its pictures and at most all but its last token."""
        if not prompt.pictures or not self._kept:
            return None
        tokens = np.asarray(prompt.tokens, dtype=np.int64)
        best, longest = None, max(_LEAST, prompt.text_from) - 1
        for number, kept in self._kept.items():
            if kept.pictures == prompt.pictures and (alike := _alike(kept.tokens, tokens)) > longest:
                best, longest = number, alike
        if best is None:
            return None
        self._kept.move_to_end(best)
        # Something has to be read, or there would be no logits to choose the next token by.
        return Beginning(self._kept[best], min(longest, len(tokens) - 1))

    def wants(self, prompt: Prompt, found: Beginning | None) -> bool:
        """Whether a prompt that was read should be kept, given what of it had been."""
        length = len(prompt.tokens)
        if not self._entries or not prompt.pictures or (self._too_long is not None and length >= self._too_long):
            return False
        return length - (found.length if found else 0) >= _NEW_SHARE * length

    def keep(self, prompt: Prompt, keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
        """Keep a prompt with pictures; the tensors are its own from now on, [heads, tokens, width] of each layer."""
        kept = KeptPrompt(np.asarray(prompt.tokens, dtype=np.int64), prompt.pictures, keys, values)
        if kept.size > self._max_bytes:
            self._too_long = len(kept.tokens)
            return
        self._kept[self._next] = kept
        self._next += 1
        self._size += kept.size
        while len(self._kept) > self._entries or self._size > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._size -= oldest.size

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._size = 0


def _alike(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> int:
    """Count the first tokens that two prompts have in common."""
    length = min(len(one), len(other))
    unlike = np.flatnonzero(one[:length] != other[:length])
    return int(unlike[0]) if len(unlike) else length
