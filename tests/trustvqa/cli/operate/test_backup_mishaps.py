"""Backups that are not made: of a misspelt place, and onto a disk without room."""

from __future__ import annotations

import errno
import gc
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.common.registry.directory import Registry
from tests.services.gateway.conftest import make_calibrator
from trustvqa.cli.main import app


def test_a_misspelt_place_is_refused_and_not_left_at_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else another place's records would be backed up, or none."""
    monkeypatch.setenv("TRUSTVQA_GATEWAY_RECORDS_ULR", "sqlite:///elsewhere.db")
    done = CliRunner().invoke(app, ["backup", "--out", str(tmp_path / "b.tar")])
    assert done.exit_code == 2
    assert "is TRUSTVQA_GATEWAY_RECORDS_URL meant" in " ".join(done.stderr.split())
    assert not (tmp_path / "b.tar").exists()


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_backup_that_finds_no_room_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", name="first"))
    monkeypatch.setattr("tarfile.TarFile.addfile", full)
    done = CliRunner().invoke(
        app,
        ["backup", "--out", str(tmp_path / "b.tar"), "--registry", str(registry.root), "--no-records"],
    )
    gc.collect()
    assert done.exit_code == 2
    assert "No space left on device" in done.stderr
    assert list(tmp_path.iterdir()) == [registry.root]
