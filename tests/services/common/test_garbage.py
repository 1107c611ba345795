"""Services look for no garbage while they import, and for new garbage once they serve."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure.sources import ROOT

_PROBE = """
import sys
before = set(sys.modules)
from services.common import garbage
import gc
print(sorted(set(sys.modules) - before - {"gc"}))
garbage.look_for_none()
print(gc.isenabled(), gc.get_freeze_count())
garbage.look_for_new()
print(gc.isenabled(), gc.get_freeze_count() > 1000)
garbage.look_for_none()
garbage.look_for_all()
print(gc.isenabled())
"""


def test_it_is_off_and_on_again_and_imports_nothing() -> None:
    said = subprocess.run([sys.executable, "-c", _PROBE], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    own = ["services", "services.common", "services.common.garbage"]
    assert said.splitlines() == [str(own), "False 0", "True True", "True"]


@pytest.mark.parametrize("service", ["gateway", "policy", "downstream", "trainer"])
def test_a_service_begins_without(service: str) -> None:
    body = ast.parse(Path(ROOT / "services" / service / "__main__.py").read_text(encoding="utf-8")).body
    code = [ast.unparse(each) for each in body[1:]]  # behind the docstring
    code = [each for each in code if "__future__" not in each]
    assert code[:2] == ["from services.common import garbage", "garbage.look_for_none()"]
