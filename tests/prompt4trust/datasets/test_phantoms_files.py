"""The data set on disk: format, determinism, disjoint splits, refusals, the command."""

import csv
import subprocess
import sys
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from prompt4trust.datasets import load_dataset
from prompt4trust.datasets.phantoms import FAMILIES, SPLITS, PhantomError, generate, render
from prompt4trust.datasets.phantoms.generator import samples, split_rng
from trustvqa.cli.runs.phantoms import phantoms

PMC_VQA = ["Figure_path", "Question", "Answer", "Choice A", "Choice B", "Choice C", "Choice D", "Answer_label"]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_files_have_the_promised_form(tmp_path: Path) -> None:
    done: list[int] = []
    table = generate(tmp_path / "set", 12, 7, "test", progress=done.append)
    assert done == list(range(1, 13))
    assert table == tmp_path / "set" / "questions.csv"
    with table.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == [*PMC_VQA, "modality", "family", "difficulty"]
    assert len(rows) == 12
    for row, (scene, question) in zip(rows, samples(12, 7, "test"), strict=True):
        assert row["Answer"] == row[f"Choice {row['Answer_label']}"] == scene.values[row["family"]]
        assert row["Question"] == question.text
        assert {row[f"Choice {letter}"] for letter in "ABCD"} <= set(FAMILIES[row["family"]])
        assert row["modality"] == scene.modality
        assert float(row["difficulty"]) == pytest.approx(scene.difficulty, abs=1e-4)
        with Image.open(table.parent / "images" / row["Figure_path"]) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (112, 112))
            assert np.array_equal(np.asarray(picture), render(scene))


def test_the_pmc_vqa_reader_reads_them(tmp_path: Path) -> None:
    generate(tmp_path / "a set", 5, 2, "calibration")
    questions = load_dataset(tmp_path / "a set").questions
    for question, (scene, asked) in zip(questions, samples(5, 2, "calibration"), strict=True):
        assert (question.text, tuple(question.options.values())) == (asked.text, asked.options)
        assert question.answer == "ABCD"[asked.answer]
        assert question.image is not None
        assert question.image.is_file()
        assert (question.groups["modality"], question.groups["family"]) == (scene.modality, asked.family)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        generate(tmp_path / name, 6, seed, "validation")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_a_longer_set_begins_with_the_shorter_one() -> None:
    short, long = list(samples(5, 1, "train")), list(samples(9, 1, "train"))
    assert long[:5] == short
    assert list(samples(4, 1, "train", start=5)) == long[5:]


def test_splits_and_seeds_share_no_stream() -> None:
    """States of the generators differ for all seeds, the longest included, splits and indices."""
    seeds = [0, 1, 2, 3, 2**32 - 1, 2**32, 2**32 + 1, 3 * 2**32, 2**63 - 1]
    keys = list(product(seeds, SPLITS, (0, 1, 2, 3, 999_999)))
    states = {split_rng(*key).bit_generator.state["state"]["state"] for key in keys}
    assert len(states) == len(keys)


def test_splits_share_no_picture() -> None:
    pictures = [render(s).tobytes() for split in SPLITS for s, _ in samples(15, 0, split)]
    assert len(set(pictures)) == len(pictures)


@pytest.mark.parametrize("n", [0, -1, 1_000_001])
def test_a_bad_number_is_refused(n: int, tmp_path: Path) -> None:
    with pytest.raises(PhantomError, match="between 1 and 1000000"):
        generate(tmp_path / "set", n, 0)
    assert not any(tmp_path.iterdir())


def test_bad_seeds_splits_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PhantomError, match="choose one of train, calibration, validation, test"):
        generate(tmp_path / "set", 1, 0, "dev")
    for seed in (-1, 2**63):
        with pytest.raises(PhantomError, match="seed"):
            generate(tmp_path / "set", 1, seed)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(PhantomError, match="is a file"):
        generate(tmp_path / "file", 1, 0)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_holds_something_is_kept_unless_told(tmp_path: Path) -> None:
    target = tmp_path / "set"
    target.mkdir()
    generate(target, 1, 0)  # an empty folder is fine
    before = contents(target)
    with pytest.raises(PhantomError, match="--overwrite"):
        generate(target, 2, 1)
    assert contents(target) == before
    generate(target, 2, 1, overwrite=True)
    assert len(contents(target)) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["set"], "nothing temporary may stay"


def test_a_run_that_breaks_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    generate(tmp_path / "set", 1, 0)
    before = contents(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "set", 5, 0, overwrite=True, progress=stop)
    assert contents(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_command(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(phantoms)
    runner = CliRunner()
    arguments = ["--out", str(tmp_path / "set"), "--n", "3", "--seed", "9", "--split", "calibration"]
    first = runner.invoke(app, arguments)
    assert first.exit_code == 0, first.output
    assert contents(tmp_path / "set").keys() == {"questions.csv"} | {
        f"images/phantom_calibration_9_{i:06d}.png" for i in range(3)
    }
    again = runner.invoke(app, arguments)
    assert again.exit_code == 2
    assert "--overwrite" in again.output
    assert runner.invoke(app, [*arguments, "--overwrite"]).exit_code == 0
    assert runner.invoke(app, [*arguments[:4], "--split", "dev"]).exit_code == 2


def test_importing_is_cheap() -> None:
    """No torch, no SciPy, no pandas and no web framework at import."""
    code = "import sys, prompt4trust.datasets.phantoms; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "scipy", "fastapi", "transformers", "pandas"} & set(loaded)


def test_split_numbers_are_for_ever() -> None:
    """Renumbering a split would change its pictures, and with them the shipped models' training data."""
    assert dict(SPLITS) == {"train": 0, "calibration": 1, "validation": 2, "test": 3}
    assert all(b - a == 1 for a, b in pairwise(SPLITS.values()))
