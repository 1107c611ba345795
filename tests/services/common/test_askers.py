"""Who asked lately, against a list of all who did."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.common.askers import Askers

LATELY_S = 10.0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 1.0, 6.0, 11.0])), max_size=12))
def test_it_knows_what_a_list_of_all_would_tell(asked: list[tuple[str, float]]) -> None:
    now = 0.0
    askers, known = Askers(LATELY_S, lambda: now), list[tuple[str, float]]()
    for client, pause in asked:
        now += pause
        askers.note(client)
        known.append((client, now))
        for one in "abcd":
            others = any(client != one and now - at <= LATELY_S for client, at in known)
            assert askers.anybody_but(one) == others


def test_nobody_asked_yet() -> None:
    assert not Askers().anybody_but("a")
