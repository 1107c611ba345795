"""Stages remember the plan that they were run by, and what is published takes an old directory's place whole or not."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import typer

from models.staged_runs import OtherPlanError, folders, read_record, replacing, run_stages


@dataclass(frozen=True)
class Plan:
    steps: int
    sizes: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Shop:
    folder: Path
    plan: Plan

    @staticmethod
    def log(_: str) -> None:
        """Drop a line."""


STAGES: dict[str, Any] = {name: lambda shop: {"steps": shop.plan.steps} for name in ("first", "second")}


def test_a_stage_of_another_plan_is_refused_and_nothing_is_run(tmp_path: Path) -> None:
    shop = Shop(tmp_path, Plan(400))
    run_stages(shop, STAGES, ["first"])
    assert read_record(tmp_path, "first")["plan"] == {"steps": 400, "sizes": [1, 2]}
    for other in (Plan(3), Plan(400, (1,))):
        with pytest.raises(OtherPlanError, match="another plan"):
            run_stages(replace(shop, plan=other), STAGES, ["second"])
    assert [file.name for file in tmp_path.iterdir()] == ["first.json"]
    run_stages(shop, STAGES, ["first", "second"])


def test_a_stage_that_does_not_say_by_which_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "first.json").write_text(json.dumps({"minutes": 1.0, "steps": 400}))
    with pytest.raises(OtherPlanError):
        run_stages(Shop(tmp_path, Plan(400)), STAGES, ["first"])


def test_a_fast_run_works_aside_and_is_not_published_over_what_ships(tmp_path: Path) -> None:
    usual, shipped = Path("build/it"), tmp_path / "models"
    assert folders(None, None, usual, shipped, fast=False, publishes=True) == (usual, shipped)
    work, out = folders(None, tmp_path / "out", usual, shipped, fast=True, publishes=True)
    assert (work, out) == (Path("build/it-fast"), tmp_path / "out")
    assert folders(tmp_path, None, usual, shipped, fast=True, publishes=False)[0] == tmp_path
    for named in (None, shipped, tmp_path / "other" / ".." / "models"):
        with pytest.raises(typer.BadParameter, match="--out"):
            folders(None, named, usual, shipped, fast=True, publishes=True)


def test_a_directory_is_replaced_whole_or_stays(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with replacing(folder) as made:
        (made / "old").write_text("1")
    with pytest.raises(FileNotFoundError), replacing(folder) as made:
        (made / "new").write_text((tmp_path / "missing").read_text())
    assert [file.name for file in folder.iterdir()] == ["old"]
    with replacing(folder) as made:
        (made / "new").write_text("2")
        assert [file.name for file in folder.iterdir()] == ["old"]
    assert [file.name for file in folder.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [folder]
