"""Checkpoints count when they are whole."""

from __future__ import annotations

from pathlib import Path

from services.trainer.grpo.checkpoints.seals import fault, latest, seal


def checkpoint(folder: Path, step: int) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    (path / "model.safetensors").write_bytes(b"weights" * step)
    (path / "optimizer.pt").write_bytes(b"moments")
    return path


def test_the_latest_whole_checkpoint_is_taken(tmp_path: Path) -> None:
    assert latest(tmp_path) == (None, [])
    for step in (2, 4, 10):
        seal(checkpoint(tmp_path, step))
    assert latest(tmp_path) == (tmp_path / "checkpoint-10", [])
    checkpoint(tmp_path, 12)
    (tmp_path / "checkpoint-10" / "model.safetensors").write_bytes(b"Weights" * 10)
    (tmp_path / "checkpoint-4" / "optimizer.pt").unlink()
    found, remarks = latest(tmp_path)
    assert found == tmp_path / "checkpoint-2"
    assert [(path.name, wrong) for path, wrong in remarks] == [
        ("checkpoint-12", "it was not finished"),
        ("checkpoint-10", "model.safetensors is damaged"),
        ("checkpoint-4", "optimizer.pt is missing"),
    ]
    (tmp_path / "checkpoint-2" / "complete.json").write_text("{")
    assert "cannot be read" in str(fault(tmp_path / "checkpoint-2"))
