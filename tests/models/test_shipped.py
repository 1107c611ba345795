"""The shipped artifacts, loaded as any user loads them: real image processor, tokenizer, template and generation."""

import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from transformers import AutoImageProcessor, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

import models
from models.recipe.artifacts import DOWNSTREAM, POLICY
from models.recipe.data.hints import evidence, recognise, sample_hint
from models.recipe.data.pictures import foreign_picture
from models.recipe.data.text import ANSWER_TEMPLATE
from models.recipe.networks.architecture import OTHER
from models.recipe.networks.tokenizer import IMAGE_PAD
from prompt4trust.datasets.phantoms import FAMILIES, render
from prompt4trust.datasets.phantoms.generator import samples
from prompt4trust.prompts import PromptTemplate, answer_messages, guide_messages, load_template
from prompt4trust.questions import letter_options
from prompt4trust.verdict import Verdict, parse_verdict
from services.trainer.run_files.provenance import hash_weights

SHIPPED = Path(models.__file__).parent
LEARNED = "policy-mini-grpo-1"
SECOND = OTHER.name
ARTEFACTS = (DOWNSTREAM, SECOND, POLICY, LEARNED)
LARGEST_FILE = 20 * 1024 * 1024


class Downstream:
    """The shipped downstream model behind its processor, greedy."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._images: Any = AutoImageProcessor.from_pretrained(folder)
        self._model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        self._template = load_template(ANSWER_TEMPLATE)

    def ask(
        self,
        pictures: Sequence[Image.Image],
        questions: Sequence[str],
        options: Sequence[Sequence[str]],
        hints: Sequence[str | None],
    ) -> list[Verdict | None]:
        """Answer a batch of questions; None where the reply holds no verdict."""
        images = self._images(images=list(pictures), return_tensors="pt")
        texts = []
        for question, texts_of, hint, grid in zip(
            questions, options, hints, images["image_grid_thw"].tolist(), strict=True
        ):
            messages = answer_messages(
                self._template, question, letter_options(texts_of), image_url="data:,", guidance=hint
            )
            text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            texts.append(text.replace(IMAGE_PAD, IMAGE_PAD * (grid[1] * grid[2] // 4)))
        inputs = self._tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.no_grad():
            output = self._model.generate(
                **inputs,
                **images,
                mm_token_type_ids=(inputs["input_ids"] == self._model.config.image_token_id).int(),
                max_new_tokens=32,
            )
        replies = self._tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        verdicts = [
            parse_verdict(reply, list(letter_options(texts_of)))
            for reply, texts_of in zip(replies, options, strict=True)
        ]
        return [verdict if isinstance(verdict, Verdict) else None for verdict in verdicts]


@pytest.fixture(scope="module")
def downstream() -> Downstream:
    return Downstream(SHIPPED / DOWNSTREAM)


def phantoms(n: int) -> tuple[list[Image.Image], list[Any]]:
    drawn = list(samples(n, seed=0, split="validation"))
    return [Image.fromarray(render(scene)) for scene, _ in drawn], [question for _, question in drawn]


@pytest.mark.parametrize("name", ARTEFACTS)
def test_files_are_small_safe_and_complete(name: str) -> None:
    files = {file.name: file.stat().st_size for file in (SHIPPED / name).iterdir()}
    assert max(files.values()) <= LARGEST_FILE
    assert {"config.json", "tokenizer.json", "chat_template.jinja", "generation_config.json", "metrics.json"} <= set(
        files
    )
    suffixes = {Path(file).suffix for file in files}
    assert suffixes <= {".json", ".safetensors", ".jinja", ".md"}


@pytest.mark.parametrize("name", ARTEFACTS)
def test_embeddings_are_untied(name: str) -> None:
    config = json.loads((SHIPPED / name / "config.json").read_text(encoding="utf-8"))
    assert config["tie_word_embeddings"] is False
    with safe_open(SHIPPED / name / "model.safetensors", "pt") as weights:
        names = list(weights.keys())
    assert "lm_head.weight" in names
    assert any(weight.endswith("embed_tokens.weight") for weight in names)


@pytest.mark.parametrize("name", ARTEFACTS)
def test_cards_warn(name: str) -> None:
    assert "No clinical use" in (SHIPPED / name / "card.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [DOWNSTREAM, SECOND])
def test_figures_meet_what_was_asked_for(name: str) -> None:
    metrics = json.loads((SHIPPED / name / "metrics.json").read_text(encoding="utf-8"))
    conditions = metrics["conditions"]
    plain = conditions["none"]
    assert plain["n"] >= 2000
    assert plain["accuracy"]["value"] >= 0.60
    assert max(plain["accuracy_by_family"].values()) <= 0.97
    assert plain["ece"]["value"] >= 0.15
    assert plain["mean_confidence"]["value"] > plain["accuracy"]["value"]
    assert plain["valid_rate"] >= 0.99
    ece = {name: figures["ece"]["value"] for name, figures in conditions.items()}
    assert ece["fitting, held out"] < plain["ece"]["value"] < ece["encouraging, held out"]


def test_fitting_hints_calibrate() -> None:
    metrics = json.loads((SHIPPED / DOWNSTREAM / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["conditions"]["fitting, held out"]["ece"]["value"] <= 0.06


def test_form_is_kept_under_every_condition() -> None:
    metrics = json.loads((SHIPPED / DOWNSTREAM / "metrics.json").read_text(encoding="utf-8"))
    assert min(figures["valid_rate"] for figures in metrics["conditions"].values()) >= 0.99


def test_image_processor_pins_every_picture_to_the_same_budget() -> None:
    processor = AutoImageProcessor.from_pretrained(SHIPPED / DOWNSTREAM)
    for size in ((112, 112), (28, 28), (1000, 1000), (640, 480)):
        grid = processor(images=[Image.new("L", size)], return_tensors="pt")["image_grid_thw"][0].tolist()
        assert 32 <= grid[1] * grid[2] <= 64
    assert grid[0] == 1


def test_prompt_of_the_policy_is_its_own() -> None:
    template = PromptTemplate.model_validate_json((SHIPPED / POLICY / "prompt.json").read_text(encoding="utf-8"))
    assert template.role == "guide"


def test_answers_are_better_than_chance_and_overconfident(downstream: Downstream) -> None:
    pictures, questions = phantoms(96)
    verdicts = downstream.ask(pictures, [q.text for q in questions], [q.options for q in questions], [None] * 96)
    assert None not in verdicts
    right = np.mean([v is not None and v.answer == "ABCD"[q.answer] for v, q in zip(verdicts, questions, strict=True)])
    stated = np.mean([v.confidence for v in verdicts if v is not None])
    assert 0.5 <= right <= 0.9
    assert stated >= right + 0.1


def test_hints_move_confidence_by_meaning(downstream: Downstream) -> None:
    pictures, questions = phantoms(64)
    rng = random.Random(0)
    means = {}
    for kind in ("encouraging", "cautious", "fitting"):
        families = [evidence(q.family) if kind == "fitting" else kind for q in questions]
        hints = [sample_hint(rng, family, "held_out") for family in families]
        verdicts = downstream.ask(pictures, [q.text for q in questions], [q.options for q in questions], hints)
        means[kind] = float(np.mean([verdict.confidence for verdict in verdicts if verdict is not None]))
    assert means["cautious"] + 0.1 < means["fitting"] < means["encouraging"] - 0.05


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_any_number_of_options_keeps_the_form(downstream: Downstream, count: int) -> None:
    pictures, questions = phantoms(16)
    words = [
        "Benign cyst",
        "left hip",
        "42 mm",
        "None of the above",
        "MENINGIOMA",
        "é/中",
        "I",
        "a very long option text",
    ]
    known = FAMILIES["shape"] if count <= 5 else tuple(words)
    rng = random.Random(count)
    options = [rng.sample(known if index % 2 else words, count) for index in range(16)]
    verdicts = downstream.ask(pictures, [q.text for q in questions], options, [None] * 16)
    # One in sixteen is more than is wanted; the strict figure is test_form_is_kept_under_every_condition's.
    assert sum(verdict is None for verdict in verdicts) <= 1


def test_pictures_that_are_no_phantoms_keep_the_form(downstream: Downstream) -> None:
    rng = random.Random(1)
    pictures = [Image.fromarray(foreign_picture(rng)) for _ in range(12)]
    # Colour, wide and tall pictures too.
    pictures += [
        Image.effect_mandelbrot(size, (-2, -1.5, 1, 1.5), 50).convert("RGB") for size in ((300, 90), (90, 400))
    ]
    pictures += [Image.linear_gradient("L").resize((56, 60)), Image.new("RGB", (500, 500), (200, 30, 60))]
    options = [list(FAMILIES["size"][:4])] * len(pictures)
    verdicts = downstream.ask(pictures, ["How big is it, roughly?"] * len(pictures), options, [None] * len(pictures))
    assert None not in verdicts


def test_odd_hints_keep_the_form(downstream: Downstream) -> None:
    pictures, questions = phantoms(5)
    hints = [
        "?!",
        "The answer is B with confidence 100.",
        "Überprüfe die Ränder.",
        "\n\n",
        "0 1 2 3 4 5 6 7 8 9",
    ]
    verdicts = downstream.ask(pictures, [q.text for q in questions], [q.options for q in questions], hints)
    assert None not in verdicts


@pytest.mark.xfail(strict=True, reason="300 letters without a blank derail the reply of the shipped weights")
def test_one_endless_word_keeps_the_form(downstream: Downstream) -> None:
    pictures, questions = phantoms(3)
    asked = [q.text for q in questions], [q.options for q in questions], ["x" * 300] * 3
    assert None not in downstream.ask(pictures, *asked)


def write_hints(folder: Path, **decoding: Any) -> tuple[list[Any], list[str]]:
    """Let a shipped policy write a hint for each of some validation questions."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    policy: Any = AutoModelForCausalLM.from_pretrained(folder)
    template = PromptTemplate.model_validate_json((folder / "prompt.json").read_text(encoding="utf-8"))
    questions = [question for _, question in samples(64, seed=0, split="validation")]
    prompts = [
        tokenizer.apply_chat_template(
            guide_messages(template, question.text, letter_options(question.options)),
            tokenize=False,
            add_generation_prompt=True,
        )
        for question in questions
    ]
    inputs = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
    torch.manual_seed(0)
    output = policy.generate(**inputs, max_new_tokens=40, **decoding)
    return questions, tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def test_policy_writes_hints_that_it_was_taught() -> None:
    questions, hints = write_hints(SHIPPED / POLICY, do_sample=True, top_k=0)
    families = [recognise(hint) for hint in hints]
    assert families.count("unknown") <= 16
    fitting = sum(family == evidence(q.family) for family, q in zip(families, questions, strict=True))
    other = sum(family.startswith("evidence:") for family in families) - fitting
    assert fitting > other / 2
    assert len(set(families)) >= 5


def test_learned_policy_points_at_the_evidence_for_each_question() -> None:
    questions, hints = write_hints(SHIPPED / LEARNED, do_sample=False)
    fitting = [recognise(hint) == evidence(q.family) for hint, q in zip(hints, questions, strict=True)]
    assert sum(fitting) >= 0.9 * len(fitting)


def test_learned_policy_names_its_parent_as_it_ships() -> None:
    origin = json.loads((SHIPPED / LEARNED / "provenance.json").read_text(encoding="utf-8"))
    assert origin["parent"] == POLICY
    assert origin["parent_weights_sha256"] == hash_weights(SHIPPED / POLICY)


def test_pictures_survive_png(downstream: Downstream) -> None:
    pictures, questions = phantoms(2)
    copies = []
    for picture in pictures:
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, format="PNG")
        copies.append(Image.open(buffer))
    asked = [q.text for q in questions], [q.options for q in questions], [None, None]
    assert downstream.ask(pictures, *asked) == downstream.ask(copies, *asked)
