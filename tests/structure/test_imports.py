"""Rules of imports: the contracts of pyproject.toml, and no circle of modules."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests.structure.sources import CODE, ROOT, plant, python_files

LINT_IMPORTS = Path(sysconfig.get_path("scripts")) / "lint-imports"

MISTAKES = {
    "Commands rest on services, services on reports, reports on the method": (
        "trustvqa/reports/planted.py",
        "import services.common.settings",
    ),
    "The method stands alone, without torch or a web framework": (
        "prompt4trust/planted.py",
        "def later() -> None:\n    import torch",
    ),
    "No service imports another, and what is common imports none": (
        "services/policy/planted.py",
        "import services.gateway.settings",
    ),
    "The gateway loads no model": ("services/gateway/web/planted.py", "import services.common.engine.interface"),
    "Within the gateway the way of a question goes down": (
        "services/gateway/intake/planted.py",
        "import services.gateway.records.connection.database",
    ),
    "Packages side by side import each other in one direction": (
        "prompt4trust/metrics/planted.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import prompt4trust.evaluation",
    ),
}


def verdicts(root: Path) -> dict[str, str]:
    """Import-linter's verdict on each contract: KEPT or BROKEN."""
    command = [str(LINT_IMPORTS), "--no-cache"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=100)
    said = re.findall(r"^(.+?) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE)
    assert said, done.stdout + done.stderr
    return dict(said)


def test_every_contract_is_kept() -> None:
    assert verdicts(ROOT) == dict.fromkeys(MISTAKES, "KEPT")


def test_every_contract_notices_an_import_that_it_forbids(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path in python_files(ROOT, CODE):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for place, text in MISTAKES.values():
        plant(tmp_path, place, text + "\n")
    assert verdicts(tmp_path) == dict.fromkeys(MISTAKES, "BROKEN")


def circle(imports: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first one again at the end; empty where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def imports_of(*packages: str) -> dict[str, set[str]]:
    """Every module -> those of the same packages that it imports, for the checker of types alone included."""
    graph = grimp.build_graph(*packages, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_no_modules_import_each_other_in_a_circle() -> None:
    imports = imports_of(*CODE)
    assert len(imports) > 300
    assert circle(imports) == []


def test_a_circle_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "planted_circle/a.py", "from planted_circle import b\n")
    plant(tmp_path, "planted_circle/b.py", "from planted_circle.below.c import d\n")
    for_types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import planted_circle.a\nd = 1\n"
    plant(tmp_path, "planted_circle/below/c.py", for_types)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert set(circle(imports_of("planted_circle"))) == {
        "planted_circle.a",
        "planted_circle.b",
        "planted_circle.below.c",
    }
