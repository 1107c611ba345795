"""The command and environment that a run is started with."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from services.trainer.run_files.records import RUN_ID, RunRecord, RunStore
from services.trainer.supervision.planning import Planner
from tests.services.trainer.conftest import make_settings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = "TRUSTVQA_TRAINER_DOWNSTREAM_API_KEY"


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Planner:
    place = tmp_path_factory.mktemp("planner")
    return Planner(make_settings(place, threads=3), RunStore(place / "runs"), now=lambda: NOW, draw=lambda: "abc123")


def run(run_id: str) -> RunRecord:
    return RunRecord(id=run_id, kind="evaluation", status="queued", created=NOW)


def test_a_job_is_told_its_folder_and_its_threads_and_the_key_where_there_is_one(
    planner: Planner, tmp_path: Path
) -> None:
    launch = planner.launch(run("eval-20260102-030405-abc123"))
    assert launch.run_id == "eval-20260102-030405-abc123"
    assert launch.command == ("-m", "services.trainer.evaluation", str(launch.folder))
    assert launch.folder.is_absolute()
    assert launch.environment["OMP_NUM_THREADS"] == "3"
    assert KEY not in launch.environment
    settings = make_settings(tmp_path, downstream_api_key=SecretStr("sesame"), policy_api_key=SecretStr("poppy"))
    keyed = Planner(settings, RunStore(tmp_path), now=lambda: NOW).launch(run("run-1"))
    assert keyed.environment[KEY] == "sesame"
    assert keyed.environment["TRUSTVQA_TRAINER_POLICY_API_KEY"] == "poppy"
    assert not {"sesame", "poppy"} & set(re.findall("[a-z]+", repr(keyed)))


@given(st.lists(st.from_regex(RUN_ID, fullmatch=True), min_size=2, max_size=2, unique=True))
def test_jobs_have_names_that_clusters_take_and_none_twice(planner: Planner, ids: list[str]) -> None:
    names = [planner.launch(run(each)).run_id for each in ids]
    assert names[0] != names[1]
    for name in names:
        assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name)


@pytest.mark.parametrize(("one", "other"), [("a.b", "a-b"), ("A", "a"), ("x" * 80, "x" * 81)])
def test_names_that_look_alike_are_kept_apart(planner: Planner, one: str, other: str) -> None:
    assert planner.launch(run(one)).run_id != planner.launch(run(other)).run_id
