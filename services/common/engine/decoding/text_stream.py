"""A sample's text: stop strings found across token borders, and never sent before they are ruled out."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.engine.decoding.detokenizers import Detokenizer
from services.common.engine.interface import TokenLogprob


class TextStream:
    """Grows a sample's text token by token.

    Args:
        detokenizer: A fresh one.
        stop: Strings that end the text; the text ends before the earliest.
    """

    def __init__(self, detokenizer: Detokenizer, stop: Sequence[str]) -> None:
        self._detokenizer = detokenizer
        self._stop = tuple(text for text in stop if text)
        self._longest = max(map(len, self._stop), default=0)
        self._text = ""
        self._sent = 0
        self._logprobs: list[tuple[int, TokenLogprob]] = []

    def push(self, token: int, logprob: TokenLogprob | None = None) -> bool:
        """Take the next token.

        Args:
            token: Its number.
            logprob: Its log-probability, to be handed out with its text.

        Returns:
            Whether a stop string is now complete; the text is then cut before it and takes no more tokens.
        """
        start = len(self._text)
        if logprob is not None:
            self._logprobs.append((start, logprob))
        return self._append(self._detokenizer.push(token), start)

    def close(self) -> bool:
        """End the text: an incomplete character becomes U+FFFD. Returns whether that completes a stop string."""
        return self._append(self._detokenizer.flush(), len(self._text))

    def take(self, *, final: bool) -> tuple[str, tuple[TokenLogprob, ...]]:
        """Hand out the text that is new and cannot become part of a stop string.

        Args:
            final: Whether the text is complete, so that nothing need be held back.

        Returns:
            The new text and the log-probabilities of its tokens.
        """
        end = len(self._text) if final else len(self._text) - self._held()
        text, self._sent = self._text[self._sent : end], end
        if not self._logprobs:
            return text, ()
        ready = len(self._logprobs) if final else sum(start < end for start, _ in self._logprobs)
        tokens = tuple(logprob for _, logprob in self._logprobs[:ready])
        del self._logprobs[:ready]
        return text, tokens

    def _append(self, piece: str, start: int) -> bool:
        if not piece:
            return False
        self._text += piece
        if not self._stop:
            return False
        since = max(0, start - self._longest + 1)
        found = [place for text in self._stop if (place := self._text.find(text, since)) >= 0]
        if not found:
            return False
        cut = min(found)
        self._text = self._text[:cut]
        self._logprobs = [entry for entry in self._logprobs if entry[0] < cut]
        return True

    def _held(self) -> int:
        """Count the characters at the end that begin a stop string."""
        tail = self._text[-(self._longest - 1) :] if self._longest > 1 else ""
        longest = 0
        for text in self._stop:
            for size in range(min(len(text) - 1, len(tail)), longest, -1):
                if tail.endswith(text[:size]):
                    longest = size
                    break
        return longest
