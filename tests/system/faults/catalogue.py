"""The faults, each begun and ended on a site that answers questions meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.network.fault_proxy import Habit
from tests.system.faults.disturbances import (
    CUT_JSON,
    LOGIN_PAGE,
    NONSENSE,
    clock_stepped,
    faketime,
    gateway_killed,
    hang_ups,
    killed,
    link,
    slow_clients,
    stopped,
)
from tests.system.faults.fault import Fault, anything, flagged, refused, unrecorded, without_policy
from tests.system.faults.questions import Outcome
from tests.system.faults.site import Site
from tests.system.faults.spoiling import (
    active_file,
    database_corrupted,
    database_locked,
    database_moved,
    disk_full,
    flipped,
    half,
    other_json,
    spoilt,
)

# --- All of them ------------------------------------------------------------------------------------------------------

_HABITS: list[tuple[str, Habit, float, bytes]] = [
    ("refuses connections", "refuse", 0, b""),
    ("resets connections", "reset", 0, b""),
    ("takes and says nothing", "hold", 0, b""),
    ("is 3 s late", "late", 3, b""),
    ("drips a byte in 0.1 s", "drip", 0.1, b""),
    ("hangs up", "hang up", 0, b""),
    ("says random bytes", "garbage", 0, b""),
    ("says other JSON", "replace", 0, NONSENSE),
    ("says half its JSON", "replace", 0, CUT_JSON),
    ("says a login page", "replace", 0, LOGIN_PAGE),
]
_SHOWN_DOWNSTREAM: dict[str, Callable[[Outcome], bool]] = {
    "is 3 s late": anything,  # in time, for some
    "says other JSON": flagged,  # a text without a verdict, which is left to a person
}
# A policy that is stopped takes and says nothing, too.
_SHORT = {("policy", "refuse"), ("downstream", "reset"), ("downstream", "garbage")}


def _links() -> list[Fault]:
    return [
        Fault(
            f"{to} {words}",
            link(to, habit, pause_s=pause_s, replacement=replacement),
            # A reply that is merely late is in time for the downstream model's deadline.
            without_policy if to == "policy" else _SHOWN_DOWNSTREAM.get(words, refused),
            in_short=(to, habit) in _SHORT,
        )
        for to in ("policy", "downstream")
        for words, habit, pause_s, replacement in _HABITS
    ]


def _spoilt_files() -> list[Fault]:
    def calibrator(site: Site) -> Path:
        return site.calibrator

    def guard(site: Site) -> Path:
        return site.guard

    def reference(site: Site) -> Path:
        return site.reference

    def started(name: str, which: Callable[[Site], Path], how: Callable[[bytes], bytes]) -> Fault:
        return Fault(f"{name}, gateway started on it", spoilt(which, how, restarted=True), flagged, cuts=True)

    name, key = flipped(b': "several-signal'), flipped(b'"cgp+logprob | downstream-mini-')
    return [
        # What was read before goes on to count.
        Fault("active.json cut off", spoilt(active_file, half), anything),
        Fault("active.json bit flipped", spoilt(active_file, name), anything),
        started("active.json cut off", active_file, half),
        started("active.json other JSON", active_file, other_json),
        started("active.json bit flipped in a name", active_file, name),
        started("active.json bit flipped in a key", active_file, key),
        Fault("live calibrator cut off", spoilt(calibrator, half), flagged, in_short=True),
        Fault("live calibrator other JSON", spoilt(calibrator, other_json), flagged),
        Fault("live calibrator bit flipped", spoilt(calibrator, flipped(b'"weights": [ 0')), flagged),
        started("live calibrator cut off", calibrator, half),
        Fault("guard cut off", spoilt(guard, half), flagged),
        Fault("guard bit flipped", spoilt(guard, flipped(b'"wrong": [')), flagged),
        Fault("references cut off", spoilt(reference, half), flagged, in_short=True),
        Fault("references bit flipped", spoilt(reference, flipped(b'"n_near": ')), flagged),
        started("references cut off", reference, half),
    ]


CATALOGUE: list[Fault] = [
    Fault("policy SIGKILL", killed("policy"), without_policy, recovery_s=60),
    Fault("policy SIGSTOP", stopped("policy"), without_policy, in_short=True),
    Fault("downstream SIGKILL", killed("downstream"), refused, recovery_s=60),
    Fault("downstream SIGSTOP", stopped("downstream"), refused, recovery_s=10),
    Fault("gateway SIGKILL", gateway_killed, lambda each: each.kind == "cut", 5, cuts=True, in_short=True),
    Fault("gateway SIGSTOP", stopped("gateway"), anything),
    *_links(),
    Fault("records' disk full", disk_full, unrecorded, in_short=True),
    Fault("records' database locked", database_locked, unrecorded),
    Fault("records' file corrupted", database_corrupted, unrecorded, 10, cuts=True, loses_records=True),
    Fault("records' file moved away", database_moved, unrecorded, 10),
    *_spoilt_files(),
    Fault("50 slow clients", slow_clients, anything, in_short=True),
    Fault("50 clients hang up", hang_ups, anything, recovery_s=10),
    *(
        Fault(f"gateway's clock {where}", clock_stepped(by), anything, cuts=True)
        # Not further back than records are kept: those that are stored meanwhile would be old when it is right again.
        for where, by in (("2 years ahead", "+730d"), ("300 days back", "-300d"))
        if faketime() is not None
    ),
]
