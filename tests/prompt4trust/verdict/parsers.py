"""Parsers as users write them, for tests to name."""

from __future__ import annotations

from collections.abc import Mapping

from prompt4trust.verdict import Asked, Invalid, Verdict

SEEN: list[tuple[str, Mapping[str, str], Asked]] = []


def read(reply: str, options: Mapping[str, str], asked: Asked) -> Verdict | Invalid | None:
    """Read "B|90"; raises on anything else but "silent" and "twice"."""
    SEEN.append((reply, options, asked))
    if reply == "silent":
        return None
    if reply == "twice":
        return Invalid("ambiguous")
    letter, sure = reply.split("|")
    return Verdict(letter, float(sure) / 100)


def versioned(reply: str, options: Mapping[str, str], asked: Asked) -> Verdict | Invalid | None:
    return read(reply, options, asked)


versioned.version = "2"  # type: ignore[attr-defined]


def no_verdict(reply: str, options: Mapping[str, str], asked: Asked) -> object:
    return (reply, 0.5)


def badly_versioned() -> None: ...


badly_versioned.version = "two words"  # type: ignore[attr-defined]
A_NUMBER = 7
