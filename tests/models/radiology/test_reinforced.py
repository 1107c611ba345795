"""A small policy that is taught and reinforced: versions that are served, and checkpoints chosen by their rewards."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from models.radiology import reinforced
from models.radiology.bench import Bench, Exam
from models.radiology.data.hints import EVIDENCE, family_of, fixed_hints
from models.radiology.reinforced import FITTING_SHARE, Reinforcement, learned, mixed_hint, teach
from models.radiology.training.loop import LoopSettings
from models.radiology.workshop import Workshop
from prompt4trust.models import Completion


def test_the_start_is_mostly_taught_what_fits(shop: Workshop) -> None:
    rng = random.Random(1)
    asked = shop.asked[0]
    drawn = [mixed_hint(asked, rng) for _ in range(2000)]
    assert set(drawn) == set(fixed_hints())
    fitting = sum(family_of(hint) == EVIDENCE[asked.kind] for hint in drawn) / 2000
    assert fitting == pytest.approx(FITTING_SHARE + (1 - FITTING_SHARE) / len(fixed_hints()), abs=0.04)


class Told(Bench):
    """Whose replies state less the longer a hint is: what is rewarded, where all answers are wrong."""

    __slots__ = ()

    def greedy(self, exam: Exam, hints: Sequence[str]) -> list[Completion]:
        letters = [list(each.lettered)[each.gold - 1] for each in exam.asked]
        stated = [max(5, 95 - len(hint)) for hint in hints]
        return [
            Completion(f"The answer is {letter} with confidence {number}.", "stop")
            for letter, number in zip(letters, stated, strict=True)
        ]


def test_checkpoints_are_versions_and_the_best_one_is_kept(shop: Workshop, tmp_path: Path) -> None:
    start = tmp_path / "supervised"
    few = LoopSettings(2, batch=4, adapter_rate=2e-3, check_from=1, check_every=1)
    teach(shop.questions("train"), shop.questions("validation"), start, shop.log, few)
    bench = Told(shop.model(), shop.encoder(shop.model()), shop.parts, log=shop.log)
    asked, judged = shop.questions("train")[:3], shop.questions("validation")[:2]
    exam, judges = (Exam(each, [0] * len(each), torch.zeros(1, 1, 1)) for each in (asked, judged))
    found = learned(bench, exam, judges, start, tmp_path, [7], Reinforcement(1, 1, 1))
    tried = found["seeds"]["7"]["checkpoints"]
    assert list(tried) == ["checkpoint-1"]
    assert found["seeds"]["7"]["best"] == "checkpoint-1"
    assert found["seeds"]["7"]["improves"] == (tried["checkpoint-1"]["reward"] > found["start"]["reward"])
    assert len(bench.writer(tmp_path / "reinforced-7")(judged)) == 2
    assert (tmp_path / "reinforced-7" / "prompt.json").is_file()


def test_a_fast_run_of_the_command_goes_all_the_way(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Told(shop.model(), shop.encoder(shop.model()), shop.parts, log=shop.log)
    monkeypatch.setattr(reinforced, "open_bench", lambda *_: bench)
    monkeypatch.setattr(reinforced, "halves", lambda asked: (asked, []))  # there is one picture to divide
    monkeypatch.chdir(tmp_path)
    reinforced.main(shop.data, fast=True)
    work = tmp_path / "build" / "radiology-policy-fast"
    found = json.loads((work / "reinforced.json").read_text())
    assert (found["learned_from"], found["chosen_on"], list(found["seeds"])) == (3, 2, ["1"])
    assert (work / "reinforced-1" / "prompt.json").is_file()
    # The start is there already, and a fast one is no start of a whole run.
    before = (work / "supervised" / "model.safetensors").stat().st_mtime_ns
    reinforced.main(shop.data, fast=True, only_teach=True)
    assert (work / "supervised" / "model.safetensors").stat().st_mtime_ns == before
