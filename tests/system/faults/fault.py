"""A fault: how it begins and ends, and how it shows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from tests.system.faults.questions import Outcome
from tests.system.faults.site import Site

Begin = Callable[[Site], AbstractAsyncContextManager[None]]


def refused(outcome: Outcome) -> bool:
    """Whether it was refused."""
    return outcome.kind == "refused"


def flagged(outcome: Outcome) -> bool:
    """Whether its reply says what it lacks."""
    return outcome.kind == "flagged"


def without_policy(outcome: Outcome) -> bool:
    """Whether it was answered without guidance."""
    return outcome.kind == "flagged" and "policy" in outcome.detail


def unrecorded(outcome: Outcome) -> bool:
    """Whether it was answered and not recorded."""
    return outcome.kind == "flagged" and "not recorded" in outcome.detail


def anything(_: Outcome) -> bool:
    """Whether it came at all: nothing of the fault need show."""
    return True


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        name: What tables call it.
        begin: Makes it begin, and ends it with the block.
        shows: Tells an outcome by which the fault shows: one is waited for, so that a fault that is none is noticed.
        recovery_s: Seconds after its end within which all is right again.
        cuts: Whether connections of clients may break: only where the gateway itself is killed.
        loses_records: Whether what was recorded may be gone.
        in_short: Whether the short run has it.
    """

    name: str
    begin: Begin
    shows: Callable[[Outcome], bool]
    recovery_s: float = 5.0
    cuts: bool = False
    loses_records: bool = False
    in_short: bool = False
