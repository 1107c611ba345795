"""Commands that run inside the gateway's container do without what its image leaves out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from deploy.requirements import requirements

ROOT = Path(__file__).resolve().parents[4]
# What packages are called when they are imported, where that is not their own name.
_IMPORTED = {"scikit-learn": "sklearn", "venn-abers": "venn_abers"}


def test_backup_needs_nothing_that_the_image_lacks(tmp_path: Path) -> None:
    there = set(requirements(ROOT / "pyproject.toml", "gateway"))
    lacking = set(requirements(ROOT / "pyproject.toml", "trainer")) - there
    assert {"torch", "transformers", "scikit-learn"} <= lacking
    names = sorted({_IMPORTED.get(each, each) for each in lacking} | {"pandas", "huggingface_hub"})
    (tmp_path / "registry").mkdir()
    program = f"""
import sys
class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Lacking())
from trustvqa.cli.main import app
app(["backup", "--no-records", "--registry", {str(tmp_path / "registry")!r}, "--out", {str(tmp_path / "b.tar")!r}])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b.tar").stat().st_size > 0
