"""The examples, run as a reader runs them, against the stack."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.conftest import ROOT, Stack
from tests.system.own_gateway import SAMPLE

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

QUESTION = ("What shape are the findings?", "Round", "Oval", "Spiculated", "Ring-shaped")
ANSWER = re.compile(r"ask a person: .+|.*\b(Round|Oval|Spiculated|Ring-shaped)\b.*", re.DOTALL)


def run(stack: Stack, script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, script, *arguments],
        cwd=ROOT,
        env={**os.environ, "TRUSTVQA_URL": stack.gateway, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["ask_with_httpx.py", "ask_with_openai.py"])
def test_an_example_asks_and_prints_an_answer_or_whom_to_ask(stack: Stack, name: str) -> None:
    assert ANSWER.fullmatch(run(stack, f"examples/{name}", str(SAMPLE), *QUESTION).strip())


def code_of(notebook: Path) -> str:
    """The code of a notebook's cells, one below the other, as a kernel runs them in turn."""
    found = json.loads(notebook.read_text(encoding="utf-8"))
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    cells = [each for each in found["cells"] if each["cell_type"] == "code"]
    # What is shown below a cell would be of another day's gateway.
    assert all(each["outputs"] == [] and each["execution_count"] is None for each in cells)
    return "\n\n".join("".join(each["source"]) for each in cells)


def test_the_notebook_runs_from_its_first_cell_to_its_last(stack: Stack, tmp_path: Path) -> None:
    script = tmp_path / "client.py"
    script.write_text(code_of(ROOT / "examples/client.ipynb"), encoding="utf-8")
    said = run(stack, str(script))
    assert "calibrated: " in said
    right, answered, left = map(int, re.findall(r"(\d+) of (\d+) answers right, (\d+) left", said)[0])
    assert answered + left == 12
    assert right <= answered
