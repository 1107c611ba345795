"""The examples, run as a reader runs them, against the stack."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.system.conftest import ROOT, Stack
from tests.system.own_gateway import SAMPLE

QUESTION = ("What shape are the findings?", "Round", "Oval", "Spiculated", "Ring-shaped")
ANSWER = re.compile(r"ask a person: .+|.*\b(Round|Oval|Spiculated|Ring-shaped)\b.*", re.DOTALL)


def run(stack: Stack, name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, f"examples/{name}", *arguments],
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
    assert ANSWER.fullmatch(run(stack, name, str(SAMPLE), *QUESTION).strip())


def test_the_notebook_runs_from_its_first_cell_to_its_last(stack: Stack) -> None:
    said = run(stack, "client_notebook.py")
    assert "calibrated: " in said
    right, answered, left = map(int, re.findall(r"(\d+) of (\d+) answers right, (\d+) left", said)[0])
    assert answered + left == 12
    assert right <= answered
