"""The state knows each job once, whoever writes to it, and nothing of what it is done with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from services.common.pacs.archive import InstanceReference
from services.listener.state import InstanceJob, Stage, State


def job(number: int = 1, digest: str = "d") -> InstanceJob:
    return InstanceJob(InstanceReference("1.2", "1.3", f"1.4.{number}"), "rule", digest, Stage.FOUND, None, 0)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "folder" / "state.db")


def test_a_job_is_known_once(state: State) -> None:
    assert state.add([job(1), job(2)], 10.0) == 2
    assert state.add([job(1), job(2), job(3)], 11.0) == 1
    assert state.add([job(1, digest="another question")], 12.0) == 1
    assert [each.instance.sop_instance_uid for each in state.due(11.0, 9)] == ["1.4.1", "1.4.2", "1.4.3"]
    assert [each.found_at for each in state.due(11.0, 2)] == [10.0, 10.0]


def test_a_job_goes_from_stage_to_stage_and_outlives_the_process(state: State, tmp_path: Path) -> None:
    state.add([job()], 0.0)
    [found] = state.due(0.0, 1)
    state.postponed(found, "away", 5.0)
    assert state.due(4.0, 1) == []
    [again] = State(tmp_path / "folder" / "state.db").due(5.0, 1)
    assert again.attempts == 1
    state.answered(again, b"what-was-answered", 6.0)
    [answered] = state.due(6.0, 1)
    assert (answered.stage, answered.report, answered.attempts) == (Stage.ANSWERED, b"what-was-answered", 0)
    # What was read before the answer changes nothing any more.
    state.given_up(again, "late")
    state.stored(answered)
    assert state.due(99.0, 1) == []
    assert state.counts() == {Stage.FOUND: 0, Stage.ANSWERED: 0, Stage.STORED: 1, Stage.GIVEN_UP: 0}
    assert b"what-was-answered" not in (tmp_path / "folder" / "state.db").read_bytes()


def test_what_ended_is_forgotten_in_the_end_and_what_is_open_is_not(state: State) -> None:
    state.add([job(1), job(2)], 0.0)
    state.given_up(state.due(0.0, 1)[0], "refused")
    assert state.forget(1.0) == 1
    assert state.counts()[Stage.FOUND] == 1


def test_the_file_is_its_owners_alone(state: State, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "folder" / "state.db").stat().st_mode) == 0o600


def test_whether_so_many_are_open(state: State) -> None:
    assert state.has_open(0)
    assert not state.has_open(1)
    state.add([job(1), job(2)], 0.0)
    assert state.has_open(2)
    assert not state.has_open(3)
    state.given_up(state.due(0.0, 1)[0], "refused")
    assert not state.has_open(2)
