"""The recipe of the contrastive model of real parts: labels, scale, gate, and a whole run on tiny random parts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from scipy.optimize import minimize_scalar

from models.contrastive_radiology.gate import judge
from models.contrastive_radiology.labels import classes_of, read_labelled
from models.contrastive_radiology.projection import Rows, Settings, Texts, cross_validated, fit_scale
from models.contrastive_radiology.publish import LARGEST, NAME, GateError, measure, publish
from models.contrastive_radiology.stages import FAST, FULL, STAGES, Workshop
from models.staged_runs import OtherPlanError, read_record, run_stages
from prompt4trust.files import write_atomically
from services.common.contrastive.model import ContrastiveModel
from tests.services.common.contrastive.tiny_parts import SIDE, TINY_PICTURES, TINY_TEXT, tiny_contrastive_parts


def row(question: str, answer: str, kind: str, **more: str) -> dict[str, Any]:
    return {"organ": "chest", "question": question, "answer": answer, "question_type": kind, **more}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([row("By which modality was it taken?", "CT", "MODALITY")], {"modality": "CT"}),
        ([row("Is a fracture seen on this x-ray?", "No", "PRES")], {"modality": "X-ray"}),
        ([row("Would you call this an MRI?", "No", "MODALITY")], {}),
        ([row("CT or MRI: which of the two is it?", "MRI", "MODALITY")], {"modality": "MRI"}),
        ([row("By which modality was it taken?", "CT", "MODALITY"), row("Is it seen on this MRI?", "No", "PRES")], {}),
        ([row("By which modality was it taken?", "Ultrasound", "MODALITY")], {}),
        ([row("Was it taken as a PA film?", "Yes", "PLANE")], {"plane": "PA"}),
        ([row("Was it taken as a PA film?", "No", "PLANE")], {}),
        ([row("Is this PA or AP?", "PA", "PLANE")], {"plane": "PA"}),
        ([row("Which plane?", "Transverse", "PLANE")], {"plane": "Axial"}),
        ([row("Which plane?", "Coronal", "PLANE")], {}),
        ([row("Does the transverse colon look narrowed to you?", "Yes", "PRES")], {}),
        ([row("Do you find an infarct of the midbrain in this axial slice?", "No", "PRES")], {"plane": "Axial"}),
        ([row("Is the lateral wall thick?", "Yes", "PRES")], {}),
        ([row("Would an MRI tell more than what is here?", "Yes", "OTHER")], {}),
        ([row("Why do surgeons like an axial view best?", "It is quick", "Other")], {}),
    ],
)
def test_what_rows_tell_of_a_picture(rows: list[dict[str, Any]], told: dict[str, str]) -> None:
    assert classes_of(rows) == {"body part": "Chest", **told}


def test_the_scale_is_the_one_of_least_log_loss() -> None:
    generator = torch.Generator().manual_seed(2)
    compared = {
        task: (torch.rand(40, classes, generator=generator) * 2 - 1, torch.randint(classes, (40,), generator=generator))
        for task, classes in (("a", 2), ("b", 3))
    }
    for likeness, labels in compared.values():
        likeness[torch.arange(len(labels)), labels] += 0.2

    def loss(log_scale: float) -> float:
        found = 0.0
        for likeness, labels in compared.values():
            shares = (likeness.double() * torch.tensor(log_scale).exp()).softmax(dim=-1)
            right, doubt = shares[torch.arange(len(labels)), labels].log(), 1 / (len(labels) + 2)
            others = (shares.log().sum(dim=-1) - right) / (shares.shape[-1] - 1)
            found -= float(((1 - doubt) * right + doubt * others).sum())
        return found

    best = minimize_scalar(loss, bounds=(0, 4.6), method="bounded")
    assert fit_scale(compared) == pytest.approx(best.x, abs=0.01)


def test_a_few_pictures_that_are_all_answered_rightly_do_not_make_it_sure() -> None:
    likeness = torch.tensor([[0.9, 0.1]]).expand(18, -1)
    scale = torch.tensor(fit_scale({"a": (likeness, torch.zeros(18, dtype=torch.int64))})).exp()
    assert (scale * likeness[0]).softmax(dim=-1)[0].item() == pytest.approx(1 - 1 / 20, abs=0.002)


def test_the_gate_wants_every_task_above_its_commonest_class() -> None:
    sure = [(0, 0)] * 20 + [(1, 1)] * 20
    assert judge({"a": sure, "b": sure})["passed"]
    always_first = [(0, 0)] * 39 + [(0, 1)]
    found = judge({"a": sure, "b": always_first})
    assert not found["passed"]
    assert (found["tasks"]["a"]["passed"], found["tasks"]["b"]["passed"]) == (True, False)
    assert found["tasks"]["b"]["majority"] == found["tasks"]["b"]["accuracy"]["value"] == 0.975
    assert not judge({"a": sure, "b": []})["passed"]
    assert not judge({})["passed"]


def test_each_picture_is_answered_once_by_a_projection_that_did_not_see_it() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(20) % 2
    told = torch.nn.functional.normalize(torch.randn(2, 6, generator=generator), dim=-1)
    texts = Texts({"side": told[:, None].expand(-1, 3, -1)}, {"side": told})
    # The features tell the class of 16 pictures; the others' labels are the wrong way round, which nothing can foresee.
    features = torch.randn(20, 2, 8, generator=generator) * 0.1
    features[:, :, 0] += 5.0 * (2 * labels[:, None] - 1)
    wrong = torch.arange(20) < 4
    rows = Rows(features, {"side": torch.where(wrong, 1 - labels, labels)})
    answered = cross_validated(rows, texts, Settings(steps=80, folds=5, dropout=0.0), seed=1)["side"]
    assert len(answered) == 20
    assert sum(said == true for said, true in answered) == 16


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A finished run, all stages of a handful of steps."""
    data, work = tmp_path_factory.mktemp("vqa-rad"), tmp_path_factory.mktemp("work")
    (data / "images").mkdir()
    rows = []
    for number in range(12):
        name = f"picture{number:02}.png"
        Image.new("L", (20 + number, 24), 20 * number).save(data / "images" / name)
        asked = row("By which modality was it taken?", ("CT", "MRI")[number % 2], "MODALITY", image=name)
        plane = row("Which plane?", ("Axial", "PA")[number % 2], "PLANE", image=name)
        split = ("train", "train", "validation", "calibration", "test", "train")[number % 6]
        rows += [{**each, "organ": ("head", "chest", "abd")[number % 3], "split": split} for each in (asked, plane)]
    (data / "questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    parts = tiny_contrastive_parts(tmp_path_factory.mktemp("parts"))
    made = Workshop(data, work, parts, FAST, 1, lambda _: None, TINY_PICTURES, TINY_TEXT, SIDE)
    run_stages(made, STAGES, list(STAGES))
    return made


def test_nothing_is_published_that_did_not_pass_the_gate(shop: Workshop, tmp_path: Path) -> None:
    gate = shop.folder / "gate.json"
    record = read_record(shop.folder, "gate")
    assert {task: each["n"] for task, each in record["tasks"].items()} == {"body part": 8, "modality": 8, "plane": 8}
    kept = gate.read_text()
    try:
        write_atomically(gate, json.dumps({**record, "passed": False}))
        with pytest.raises(GateError, match="nothing is published"):
            publish(shop, tmp_path)
        assert not list(tmp_path.iterdir())
    finally:
        gate.write_text(kept)


def test_what_is_published_is_small_holds_no_data_and_is_what_was_measured(shop: Workshop, tmp_path: Path) -> None:
    gate = shop.folder / "gate.json"
    kept = gate.read_text()
    write_atomically(gate, json.dumps({**read_record(shop.folder, "gate"), "passed": True}))
    try:
        folder = publish(shop, tmp_path)
    finally:
        gate.write_text(kept)
    assert folder == tmp_path / NAME
    assert sum(file.stat().st_size for file in folder.iterdir()) <= LARGEST
    words = "".join(file.read_text() for file in folder.iterdir() if file.suffix in (".json", ".md"))
    assert "picture0" not in words
    assert "By which modality" not in words
    metrics = json.loads((folder / "metrics.json").read_text())
    test = [each for each in read_labelled(shop.data) if each.split == "test"]
    found = measure(ContrastiveModel.load(folder, parts=shop.parts), shop.data, test)
    assert {**metrics, "dataset": None} == {**found, "dataset": None}
    assert (metrics["n"], metrics["pictures"]) == (6, 2)
    assert "No clinical use" in (folder / "card.md").read_text()
    provenance = json.loads((folder / "provenance.json").read_text())
    assert set(provenance["stages"]) == set(STAGES)
    assert provenance["fast"]
    assert provenance["plan"]["settings"]["steps"] == FAST.settings.steps
    assert "--fast" in provenance["command"]


def test_a_publication_that_fails_leaves_the_old_directory_as_it_was(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.contrastive_radiology.publish.LARGEST", 10)
    monkeypatch.setattr("models.contrastive_radiology.publish.read_record", lambda *_: {"passed": True})
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "model.safetensors").write_text("what ships")
    with pytest.raises(ValueError, match="too many to ship"):
        publish(shop, tmp_path)
    assert [(file.name, file.read_text()) for file in (tmp_path / NAME).iterdir()] == [
        ("model.safetensors", "what ships")
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / NAME]


def test_a_whole_run_takes_nothing_of_a_fast_one(shop: Workshop, tmp_path: Path) -> None:
    whole = replace(shop, plan=FULL)
    with pytest.raises(OtherPlanError, match="another plan"):
        run_stages(whole, STAGES, ["gate"])
    with pytest.raises(OtherPlanError, match="another plan"):
        publish(whole, tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(OtherPlanError, match="features"):  # another seed has no records, but the features are there
        run_stages(replace(whole, seed=2), STAGES, ["features"])
    for other in (replace(shop, image_size=SIDE * 2), replace(shop, vision=replace(TINY_PICTURES, sha256="0" * 64))):
        with pytest.raises(OtherPlanError):
            _ = other.features


def test_fewer_views_than_are_asked_for_are_an_error(shop: Workshop) -> None:
    teaching = [each for each in shop.labelled if each.split == "train"]
    assert Rows.of(teaching, shop.features, 2).views.shape[1] == 2
    with pytest.raises(ValueError, match="fewer than 3 views"):
        Rows.of(teaching, shop.features, 3)
