"""The code of the services, as it is found in a checkout and in an installed wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trustvqa.cli.service_code import make_importable


def test_a_wheel_s_copy_goes_first_here_and_in_child_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "its_services").mkdir()
    (tmp_path / "its_services" / "__init__.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    make_importable(tmp_path)
    make_importable(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1
    assert sys.path[0] == str(tmp_path)
    assert os.environ["PYTHONPATH"] == f"{tmp_path}{os.pathsep}/elsewhere"
    subprocess.run([sys.executable, "-c", "import its_services"], check=True)


def test_a_checkout_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", before := [*sys.path])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    make_importable(tmp_path / "absent")
    assert sys.path == before
    assert "PYTHONPATH" not in os.environ
