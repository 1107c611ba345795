"""Calls of a downstream model, kept on disk: methods share what they ask alike, and a run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prompt4trust.estimators._tokens import ALTERNATIVES
from prompt4trust.models import Completion, Cost, Downstream, Generation, Sampling
from prompt4trust.prompts import Message

_COMMIT_EVERY = 200


class KeptCalls:
    """A downstream model whose replies are kept in a file, each with what it cost when it was asked for.

    Only what is bound to come out alike is kept: greedy requests and those with a seed. An answer's cost is what its
    method takes by itself, as with `SharedReplies`.

    Args:
        downstream: The model that answers.
        path: The file, a SQLite database; made where it is not there. It belongs to one model.

    Example:
        >>> import asyncio, tempfile
        >>> class Scripted:
        ...     async def complete(self, messages, sampling, *, n=1, top_logprobs=None):
        ...         return Generation([Completion("A", "stop", [{"A": -0.1}], ["A"])] * n, Cost(calls=1, seconds=0.5))
        >>> with tempfile.TemporaryDirectory() as folder, KeptCalls(Scripted(), Path(folder) / "calls.db") as kept:
        ...     first, again = (asyncio.run(kept.complete([], Sampling(), top_logprobs=5)) for _ in range(2))
        >>> again == first, kept.asked
        (True, 1)
    """

    def __init__(self, downstream: Downstream, path: Path) -> None:
        self._downstream = downstream
        self._file = sqlite3.connect(path)
        self._file.execute("CREATE TABLE IF NOT EXISTS calls (key BLOB PRIMARY KEY, reply BLOB) WITHOUT ROWID")
        self.asked = 0
        """Requests that the model was really asked."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.commit()
        self._file.close()

    async def complete(
        self, messages: Sequence[Message], sampling: Sampling, *, n: int = 1, top_logprobs: int | None = None
    ) -> Generation:
        """Generate n completions, or read them; see `Downstream`."""
        if sampling.temperature > 0 and sampling.seed is None:
            return await self._downstream.complete(messages, sampling, n=n, top_logprobs=top_logprobs)
        # A greedy or seeded text is the same with log-probabilities and without: one call serves both.
        top_logprobs = max(top_logprobs or 0, ALTERNATIVES if n == 1 else 1)
        asked = json.dumps([list(messages), astuple(sampling), n, top_logprobs])
        key = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).digest()
        found = self._file.execute("SELECT reply FROM calls WHERE key = ?", (key,)).fetchone()
        if found is not None:
            return _unpacked(found[0])
        generation = await self._downstream.complete(messages, sampling, n=n, top_logprobs=top_logprobs)
        self._file.execute("INSERT OR REPLACE INTO calls VALUES (?, ?)", (key, _packed(generation)))
        self.asked += 1
        if self.asked % _COMMIT_EVERY == 0:
            self._file.commit()
        return generation


def _packed(generation: Generation) -> bytes:
    if generation.without:
        raise ValueError(f"the server gives no {', '.join(sorted(generation.without))}: its replies are not compared")
    replies = [
        [
            each.text,
            each.finish_reason,
            each.tokens and list(each.tokens),
            each.top_logprobs and list(each.top_logprobs),
        ]
        for each in generation.completions
    ]
    return zlib.compress(json.dumps([asdict(generation.cost), replies]).encode("utf-8", "surrogatepass"), 1)


def _unpacked(data: bytes) -> Generation:
    cost, replies = json.loads(zlib.decompress(data))
    return Generation([_completion(*each) for each in replies], Cost(**cost))


def _completion(text: str, finish_reason: str, tokens: Any, top_logprobs: Any) -> Completion:
    return Completion(text, finish_reason, top_logprobs, tokens)
