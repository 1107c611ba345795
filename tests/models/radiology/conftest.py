"""A folder of questions laid out as VQA-RAD is, about made pictures, and a run on tiny random parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from models.radiology.plan import FAST
from models.radiology.workshop import Workshop
from services.common.engine.vision.joined.config import JoinedConfig
from tests.services.common.engine.tiny import TEMPLATE, tokenizer
from tests.services.common.engine.tiny_parts import IMAGE_SIDE, TINY_LANGUAGE, TINY_VISION, tiny_parts

_SPLITS = ("train", "train", "train", "train", "calibration", "validation", "validation", "test", "test")
_ASKED = (
    ("Is there a mass?", "Yes", "closed", "PRES"),
    ("In which plane was it cut?", "Axial", "open", "PLANE"),
    ("By which modality was it taken?", "CT", "open", "MODALITY"),
    ("Where does the finding lie?", "left lobe", "open", "POS"),
    ("What is abnormal?", "a mass", "open", "ABN"),
)


@pytest.fixture(scope="session")
def vqa_rad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine pictures of three regions, five questions each, of which four can be chosen from."""
    folder = tmp_path_factory.mktemp("vqa-rad")
    (folder / "images").mkdir()
    rows = []
    for number, split in enumerate(_SPLITS):
        name = f"picture{number}.png"
        Image.new("L", (40 + number, 50), 20 * number).save(folder / "images" / name)
        for place, (question, answer, answer_type, types) in enumerate(_ASKED):
            rows.append(
                {"id": f"q{number}-{place}", "image": name, "organ": ("head", "chest", "abd")[number % 3],
                 "question": question, "answer": answer, "answer_type": answer_type, "question_type": types,
                 "phrase": "freeform", "split": split}
            )  # fmt: skip
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def shop(vqa_rad: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A run with a handful of steps on parts of some thousand parameters."""
    parts = tiny_parts(tmp_path_factory.mktemp("parts"))
    described = json.loads((parts.directory(TINY_LANGUAGE) / "config.json").read_text())
    seen = json.loads((parts.directory(TINY_VISION) / "config.json").read_text())
    image = tokenizer().convert_tokens_to_ids("<|image_pad|>")
    assert isinstance(image, int)
    return Workshop(
        vqa_rad,
        tmp_path_factory.mktemp("work"),
        parts,
        FAST,
        1,
        lambda _: None,
        TINY_LANGUAGE,
        TINY_VISION,
        JoinedConfig(described, seen, image_token_id=image, image_size=IMAGE_SIDE, picture_side=2),
        TEMPLATE,
        torch.float32,
    )


@pytest.fixture(autouse=True)
def small_numbers() -> Iterator[None]:
    """Let later tests have the smallest floats again, which a training in this process does without."""
    yield
    torch.set_flush_denormal(False)
