"""Guesses at how a text goes on, from texts that were written before: a model checks several tokens in one pass.

A small model's pass takes as long for a few tokens as for one, and hints, unlike answers, come again in parts: the same
openings, the same phrases about the same kind of finding. So what followed the last few tokens when they last occurred
is proposed, and kept as far as the model itself would have written it (blockwise decoding: Stern, Shazeer and Uszkoreit
2018, arXiv 1811.03115; drafts looked up in a store: He et al. 2023, arXiv 2311.08252). The text is the one that would
have been written token by token.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

_SIZES: Final = (5, 3, 2)
"""How many last tokens a place in an earlier text is found by: of the most that are the same."""
_LONGEST: Final = max(_SIZES)
_MOST_TOKENS: Final = 256
"""Tokens of a text, from its beginning, that are remembered."""

_Gram = tuple[int, ...]


class Drafts:
    """Texts that were written last, by what they say; for one thread.

    Args:
        most: Most texts that are remembered, the oldest forgotten first; 0 for none.
        length: Most tokens of a draft.

    Example:
        >>> drafts = Drafts(10, 3)
        >>> drafts.learn([7, 8], [1, 2, 3, 4, 5])
        >>> drafts.propose([7, 8], [])
        (1, 2, 3)
        >>> drafts.propose([7, 8], [9, 2, 3])
        (4, 5)
        >>> drafts.propose([7, 8], [9])
        ()
    """

    def __init__(self, most: int, length: int = 8) -> None:
        self._most = most
        self._length = length
        self._texts: deque[tuple[int, _Gram]] = deque()
        self._numbered: dict[int, _Gram] = {}
        self._places: dict[_Gram, tuple[int, int]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._texts)

    def learn(self, prompt: Sequence[int], tokens: Sequence[int]) -> None:
        """Remember a text.

        Args:
            prompt: The tokens before it, of which the last few say where texts begin.
            tokens: Its own.
        """
        if not self._most or not tokens:
            return
        text = (*prompt[-_LONGEST:], *tokens[:_MOST_TOKENS])
        if len(self._texts) == self._most:
            self._forget()
        self._texts.append((self._next, text))
        self._numbered[self._next] = text
        for gram, place in _grams(text):
            self._places[gram] = self._next, place
        self._next += 1

    def propose(self, prompt: Sequence[int], tokens: Sequence[int]) -> Sequence[int]:
        """Propose how a text goes on; empty where nothing like its end was written before.

        Args:
            prompt: The tokens before the text.
            tokens: The text so far.
        """
        if not self._places:
            return ()
        end = (*prompt[-_LONGEST:], *tokens[-_LONGEST:])[-_LONGEST:]
        for size in _SIZES:
            found = self._places.get(end[-size:])
            if found is not None:
                number, place = found
                return self._numbered[number][place : place + self._length]
        return ()

    def _forget(self) -> None:
        number, text = self._texts.popleft()
        del self._numbered[number]
        for gram, _ in _grams(text):
            if self._places.get(gram, (-1, 0))[0] == number:
                del self._places[gram]


def _grams(text: _Gram) -> list[tuple[_Gram, int]]:
    """List what stands before each place of a text but its end, of every size by which places are found."""
    return [
        (text[place - size : place], place)
        for place in range(min(_SIZES), len(text))
        for size in _SIZES
        if size <= place
    ]
