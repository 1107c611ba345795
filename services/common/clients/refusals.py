"""Refusals that name a parameter: what a server does not take of a request, and what it took instead, for a while.

Servers say it in many ways: OpenAI's `param` and its sentences, the places of a validation error, the words of a chat
template. A guess may be wrong, since an error may quote what was asked; so a change counts only once the changed
request was answered, and is taken back where the server says the very same again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from services.common.clients.chat_request import Change, ChatRequest
from services.common.clients.errors import RefusedError

_NOT_TAKEN = frozenset({400, 403, 422, 501})

_WORDS: Mapping[Change, str] = {
    "n": r"""['"`]n['"`]|^n$|(?<=body\.)n$|\bn (?:must|should|is|>|=)|(?:argument|parameter)s?(?: supplied)?:? n\b"""
    r"|completion choice|(?:multiple|several) (?:choices|completions)|best_of",
    "logprobs": r"log_?prob",
    "seed": r"\bseed\b",
    "top_p": r"\btop_?p\b",
    "top_k": r"\btop_?k\b",
    "temperature": r"\btemperature\b",
    "system": r"\bsystem\W{0,3}(?:role|message|prompt|instruction)|\brole\b.{0,40}\bsystem\b|['\"`]system['\"`]"
    r"|developer instruction|roles must alternate|only user and assistant|messages(?:\[\d+\]|\.\d+)\.role",
    "json_object": r"response_?format|json_?schema|structured.?output|guided|grammar",
    "response_format": r"response_?format|json_?(?:schema|object|mode)|structured.?output|guided|grammar",
}
_NAMES = {change: re.compile(pattern, re.IGNORECASE) for change, pattern in _WORDS.items()}
_ECHO = re.compile(r"""['"]input['"]\s*:|input_value=""")
_UNTOLD = frozenset({"input", "ctx", "url", "body", "type", "code", "id", "request_id", "trace_id", "timestamp"})
_ID = re.compile(r"(?=[\w-]*\d)[\w-]{8,}")


def changes_to_try(error: RefusedError, request: ChatRequest, made: Collection[Change]) -> list[Change]:
    """List the changes that may get a refused request answered, the likeliest first.

    Args:
        error: The refusal.
        request: What was asked.
        made: Changes that were made of it already.

    Returns:
        Changes for what the refusal names and the request holds: what its `param` names, then what changes nothing
        about the reply, then by place in the text. "max_completion_tokens" is also for the way back.
    """
    if error.status not in _NOT_TAKEN:
        return []
    params, text = _complaints(error.said)
    found: list[tuple[bool, bool, int, Change]] = []
    for change, pattern in _names_in_use(made):
        if change != "max_completion_tokens" and change in made:
            continue
        if not request.can_change(change):
            continue
        named = any(pattern.search(param) for param in params)
        place = pattern.search(text)
        if named or place:
            harmless = request.omission(change) is None
            found.append((not named, not harmless, place.start() if place else 0, change))
    return [change for *_, change in sorted(found, key=lambda each: each[:3])]


def _names_in_use(made: Collection[Change]) -> Iterable[tuple[Change, re.Pattern[str]]]:
    longest = "max_completion_tokens" if "max_completion_tokens" in made else "max_tokens"
    yield "max_completion_tokens", re.compile(rf"\b{longest}\b")
    yield from _NAMES.items()


def _complaints(said: str) -> tuple[list[str], str]:
    """Split an error's text into the parameters that its fields name, and its sentences, without echoes of requests."""
    params: list[str] = []
    texts: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, str):
            texts.append(_ECHO.split(value, maxsplit=1)[0])
        elif isinstance(value, list):
            for each in value:
                walk(each)
        elif isinstance(value, dict):
            for name, inner in value.items():
                if name == "param" and isinstance(inner, str):
                    params.append(inner)
                elif name == "loc" and isinstance(inner, list):
                    params.append(".".join(map(str, inner)))
                elif name not in _UNTOLD:
                    walk(inner)

    try:
        walk(json.loads(said))
    except (ValueError, RecursionError):
        return [], _ECHO.split(said, maxsplit=1)[0]
    return params, "\n".join(texts)


def _gist(said: str) -> tuple[list[str], str]:
    """Reduce an error's text to what is the same each time that it is said: without the ids of requests."""
    params, text = _complaints(said)
    return params, _ID.sub("", text)


class Attempts:
    """The attempts to get one request answered: what is changed next, and what was changed to no avail.

    Each part is changed once at most, so that their number is bounded.

    Args:
        request: What is asked.
        known: Changes that the server is known to need.

    Attributes:
        made: The changes of the present attempt.
    """

    def __init__(self, request: ChatRequest, known: Collection[Change]) -> None:
        self._request = request
        self.made: frozenset[Change] = frozenset(known)
        self._tried: set[Change] = set()
        self._last: tuple[frozenset[Change], tuple[list[str], str]] | None = None
        self._together = False

    def next_changes(self, error: RefusedError) -> frozenset[Change]:
        """Make the next change after a refusal, or once all that it names together.

        Returns:
            What is changed; nothing where nothing is left to try.
        """
        said = _gist(error.said)
        if self._last is not None and said == self._last[1]:
            self.made = self._last[0]  # it was not that, or not that alone
        named = changes_to_try(error, self._request, self.made)
        change = next((each for each in named if each not in self._tried), None)
        changes = frozenset(named) if change is None else frozenset({change})
        if change is None:
            if self._together or len(named) < 2:
                return frozenset()
            self._together = True
        self._tried |= changes
        self._last = self.made, said
        self.made ^= changes
        return changes


class RefusalMemory:
    """The changes that a server needs, remembered for a while, so that not every request is refused first.

    Args:
        pause_s: How long, in seconds; 0 for not at all.
        clock: Monotonic seconds.
    """

    def __init__(self, pause_s: float, clock: Callable[[], float]) -> None:
        self._pause_s = pause_s
        self._clock = clock
        self._until: dict[Change, float] = {}

    def needed(self) -> frozenset[Change]:
        """List the changes that are remembered now."""
        now = self._clock()
        self._until = {change: until for change, until in self._until.items() if now < until}
        return frozenset(self._until)

    def learn(self, before: Collection[Change], after: Collection[Change]) -> None:
        """Remember what turned out to be needed, and forget what no longer is.

        Args:
            before: The changes with which a request began.
            after: Those with which it was answered.
        """
        for change in set(before) - set(after):
            self._until.pop(change, None)
        for change in set(after) - set(before):
            self._until[change] = self._clock() + self._pause_s
