"""`trustvqa evaluate --shard` and `--shards`: parts that add up to the whole, whatever is cut and killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompt4trust.datasets import Dataset
from prompt4trust.evaluation import read_predictions
from prompt4trust.questions import Question
from tests.support.models import overconfident
from tests.support.openai_app import ScriptedServer
from tests.trustvqa.cli.runs.test_evaluate_command import Argument, N, data, serving, trustvqa
from trustvqa.cli.errors import ShardError
from trustvqa.cli.runs.shards import Shard

__all__ = ["data"]  # the fixture
COUNT = 3


def dataset(size: int) -> Dataset:
    return Dataset("numbers", tuple(Question(str(i), f"{i}?", {"A": "x", "B": "y"}, "A") for i in range(size)))


@given(size=st.integers(1, 60), count=st.integers(1, 60))
def test_the_shards_are_a_partition(size: int, count: int) -> None:
    whole = dataset(size)
    if count > size:
        with pytest.raises(ShardError, match="would leave some empty"):
            Shard(0, count).of(whole)
        return
    parts = [Shard(index, count).of(whole) for index in range(count)]
    assert sorted(question.id for part in parts for question in part.questions) == sorted(
        question.id for question in whole.questions
    )
    sizes = [len(part.questions) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert len({part.name for part in parts}) == len({part.fingerprint for part in parts}) == count


@pytest.mark.parametrize("text", ["", "1", "4/4", "0/0", "-1/4", "1/4/4", "a/b", "1 /4", "1/４"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ShardError, match="INDEX/COUNT"):
        Shard.parse(text)


def figures(path: Path) -> Any:
    """A report without what names the run: times of day, names, and what seconds a reply took."""
    report = json.loads((path / "report.json").read_text())
    return [{name: each[name] for name in ("name", "figures", "failed", "invalid")} for each in report["methods"]]


def answers(folder: Path) -> list[Any]:
    return [row.model_dump(exclude={"cost": {"seconds"}}) for row in read_predictions(folder)]


def test_merged_shards_report_what_the_whole_reports(data: Path, tmp_path: Path) -> None:
    server = ScriptedServer()
    common: list[Argument] = ["--data", data, "--calibrator", "none", "--limit", "30"]
    with serving(server) as models:
        trustvqa(tmp_path, "evaluate", *common, "--out", "direct", *models)
        asked = len(server.prompts)
        for index in (2, 0):
            trustvqa(tmp_path, "evaluate", *common, "--shard", f"{index}/{COUNT}", "--out", f"parts/{index}", *models)
        _, err = trustvqa(tmp_path, "evaluate", *common, "--shards", "parts", status=1)
        assert "the 2 runs in parts are not the 2 shards" in err
        trustvqa(tmp_path, "evaluate", *common, "--shard", f"1/{COUNT}", "--out", "parts/1", *models)
        assert len(server.prompts) == 2 * asked
        server.prompts.clear()

        for _ in range(2):  # a second time over what is there
            out, _ = trustvqa(tmp_path, "evaluate", *common, "--shards", "parts")
            assert "30 questions" in out
        assert not server.prompts
        whole = tmp_path / "parts-whole"
        assert figures(whole) == figures(tmp_path / "direct")
        direct = sorted(answers(tmp_path / "direct"), key=lambda row: (row["id"], row["estimator"]))
        assert sorted(answers(whole), key=lambda row: (row["id"], row["estimator"])) == direct
        # It is a run like any other: the same command on the whole finds nothing left to ask.
        trustvqa(tmp_path, "evaluate", *common, "--out", whole, "--no-recheck", *models)
        assert not server.prompts
        _, err = trustvqa(tmp_path, "evaluate", "--data", data, "--shards", "parts", status=1)
        assert "are not the 3 shards of these questions" in err


def test_shards_that_are_unfinished_failed_or_unlike_are_told_apart(data: Path, tmp_path: Path) -> None:
    def broken(prompt: str) -> str | int | None:
        return 500 if "Number 1?" in prompt else overconfident(prompt)

    server = ScriptedServer(broken)
    common: list[Argument] = ["--data", data, "--calibrator", "none", "--methods", "verbalized"]
    with serving(server) as models:
        options: list[Argument] = ["--deadline", "4", *models]
        trustvqa(tmp_path, "evaluate", *common, "--shard", "0/2", "--out", "parts/0", *options)
        trustvqa(tmp_path, "evaluate", *common, "--shard", "1/2", "--out", "parts/1", *options, status=4)
        # A question that could not be asked is reported as that, until its shard has asked it again.
        out, _ = trustvqa(tmp_path, "evaluate", *common, "--shards", "parts", status=4)
        assert "1 question(s) without a prediction" in out
        server.script = overconfident
        trustvqa(tmp_path, "evaluate", *common, "--shard", "1/2", "--out", "parts/1", "--no-recheck", *options)
        trustvqa(tmp_path, "evaluate", *common, "--shards", "parts")

        table = tmp_path / "parts" / "1" / "predictions.jsonl"
        lines = [line for line in table.read_bytes().splitlines(keepends=True) if b'"failure"' not in line]
        table.write_bytes(b"".join(lines[:-3]))
        _, err = trustvqa(tmp_path, "evaluate", *common, "--shards", "parts", "--out", "other", status=1)
        assert "3 questions were not asked yet" in err

        options = [*common, "--temperature", "0.7", "--shard", "1/2", "--out", "unlike/1"]
        trustvqa(tmp_path, "evaluate", *options, *models)
        trustvqa(tmp_path, "evaluate", *common, "--shard", "0/2", "--out", "unlike/0", *models)
        _, err = trustvqa(tmp_path, "evaluate", *common, "--shards", "unlike", status=1)
        assert "were not asked alike: sampling" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--shard", "4/4"], "with INDEX from 0 to COUNT - 1"),
        (["--shard", f"0/{N + 1}"], "would leave some empty"),
        (["--shard", "0/2", "--run", "x"], "do not go together"),
        (["--shards", "nowhere"], "nowhere holds no folder with a run"),
    ],
)
def test_wrong_usage_is_explained(data: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    _, err = trustvqa(tmp_path, "evaluate", "--data", data, *arguments, status=1)
    assert said in err
    assert "Traceback" not in err
