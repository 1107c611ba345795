"""Folders of runs that a command does itself."""

from __future__ import annotations

from pathlib import Path

from trustvqa.cli.learning.foreground_run import new_folder


def test_runs_that_begin_in_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    folders = []
    for _ in range(3):
        folders.append(new_folder(tmp_path, "policy-1"))
        folders[-1].mkdir()
    assert len(set(folders)) == 3
    assert all("policy-1" in folder.name and folder.parent == tmp_path for folder in folders)
