"""The recipe's machinery: rendering, positions, look-up links, and all stages with a handful of steps."""

import random
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer, PreTrainedTokenizerBase

from models.recipe.artifacts import DOWNSTREAM, POLICY
from models.recipe.data.corpus import training_texts
from models.recipe.data.hint_wordings import CLOSERS, CUES, OBJECTS, OPENERS, VERBS
from models.recipe.data.hints import HINT_FAMILIES, recognise, sample_hint
from models.recipe.data.pictures import draw_pictures
from models.recipe.data.rows import Asked, answer_row, ask_phantom, lookup_row
from models.recipe.data.text import (
    ANSWER_TEMPLATE,
    GUIDE_TEMPLATE,
    Row,
    answer_prompt,
    collate,
    guide_prompt,
    lettered,
    reply_text,
)
from models.recipe.networks.architecture import IMAGE_TOKENS, new_downstream
from models.recipe.networks.forward import run_language
from models.recipe.networks.tokenizer import IMAGE_PAD, train_tokenizer
from models.recipe.plan import FAST
from models.recipe.publish import publish
from models.recipe.stages import STAGES, Workshop
from models.recipe.training.answers import AnswerRows
from models.recipe.training.confidence import ConfidenceRows, OwnAnswer, greedy_scales, target_confidence
from models.recipe.training.conftuner import conftuner_loss, mean_loss, number_logits, train_conftuner
from models.recipe.training.language import LanguageSettings, embed
from models.recipe.training.vision import flip, merge_order, run_tower, to_patches
from models.staged_runs import run_stages
from prompt4trust.prompts import answer_messages, guide_messages, load_template
from prompt4trust.verdict import Verdict, parse_verdict

OPTIONS = lettered(["Round", "Oval", "Ring-shaped"])


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return train_tokenizer(training_texts(0, rounds=200), 700)


@pytest.fixture(scope="module")
def downstream(tokenizer: PreTrainedTokenizerBase) -> Any:
    torch.manual_seed(0)
    model: Any = new_downstream(tokenizer)
    return model.eval()


@pytest.mark.parametrize("hint", ["", "Look at {the} outline."])
@pytest.mark.parametrize("image", [True, False])
def test_training_text_is_the_served_text(tokenizer: PreTrainedTokenizerBase, hint: str, image: bool) -> None:
    template = load_template(ANSWER_TEMPLATE)
    url = "data:image/png;base64,AA==" if image else None
    messages = answer_messages(template, "What shape?", OPTIONS, image_url=url, guidance=hint)
    served = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    # Every processor repeats the placeholder once per image token.
    assert isinstance(served, str)
    expanded = served.replace(IMAGE_PAD, IMAGE_PAD * IMAGE_TOKENS)
    assert answer_prompt(template, "What shape?", OPTIONS, hint, image=image) == expanded


def test_policy_text_is_the_served_text(tokenizer: PreTrainedTokenizerBase) -> None:
    template = load_template(GUIDE_TEMPLATE)
    messages = guide_messages(template, "What shape?", OPTIONS)
    served = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert guide_prompt(template, "What shape?", OPTIONS) == served


@pytest.mark.parametrize("finding", ["Round", "Ring-shaped", "unclear"])
def test_replies_parse(finding: str) -> None:
    assert parse_verdict(reply_text(finding, "C", 7), list("ABC")) == Verdict("C", 0.07)


def test_open_replies_parse() -> None:
    assert parse_verdict(reply_text("Round", "Round", 70), []) == Verdict("Round", 0.7)


def test_digits_and_values_are_single_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    assert tokenizer.tokenize(" Massive") == ["ĠMassive"]
    assert tokenizer.tokenize("87") == ["8", "7"]


def test_collate_links_option_values_to_letters(tokenizer: PreTrainedTokenizerBase) -> None:
    template = load_template(ANSWER_TEMPLATE)
    prompt = answer_prompt(template, "What shape?", OPTIONS)
    row = Row(prompt, reply_text("Ring-shaped", "C", 87), list(OPTIONS.values()), "Ring-shaped", 2, 0)
    batch = collate(tokenizer, [row])

    def words(name: str) -> list[tuple[str, str]]:
        return [
            (str(tokenizer.decode(batch.ids[index, source])), str(tokenizer.decode(batch.ids[index, target])))
            for index, source, target in batch.links[name]
        ]

    assert words("letter") == [(" Round", "A"), (" Oval", "B"), (" Ring", "C")]
    assert words("finding") == [(" is", " Ring")]
    assert words("match") == [(" is", " Ring")]
    digits = [tokenizer.decode(batch.targets[index, at]) for index, at in batch.digits_at.T.tolist()]
    assert digits == ["8", "7"]
    learned = tokenizer.decode(batch.targets[0][batch.targets[0] >= 0])
    assert learned == f"{row.reply}<|im_end|>"


def test_collate_leaves_out_what_is_not_to_be_learned(tokenizer: PreTrainedTokenizerBase) -> None:
    template = load_template(ANSWER_TEMPLATE)
    row = Row(answer_prompt(template, "?", OPTIONS), reply_text("Oval", "B", 87), list(OPTIONS.values()), "Oval", 1, 0)
    row.learn_finding = row.learn_confidence = False
    batch = collate(tokenizer, [row])
    assert tokenizer.decode(batch.targets[0][batch.targets[0] >= 0]) == "Finding: B with confidence"


def test_positions_are_the_library_s(tokenizer: PreTrainedTokenizerBase, downstream: Any) -> None:
    template = load_template(ANSWER_TEMPLATE)
    batch = collate(tokenizer, [Row(answer_prompt(template, "What shape?", OPTIONS), "Oval")])
    expected, _ = downstream.model.get_rope_index(
        batch.ids,
        mm_token_type_ids=(batch.ids == downstream.config.image_token_id).int(),
        image_grid_thw=torch.tensor([[1, 8, 8]]),
    )
    assert torch.equal(expected, batch.positions)


def test_batched_tower_is_the_library_s(downstream: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 112, 112), dtype=np.uint8)
    patches = to_patches(pixels)
    full = patches.reshape(3 * 64, 1, 1, 196).expand(-1, 3, 2, -1).reshape(3 * 64, 1176)
    with torch.no_grad():
        expected = downstream.model.visual(full, torch.tensor([[1, 8, 8]] * 3)).pooler_output
        found = run_tower(downstream.model.visual, patches)
    torch.testing.assert_close(found.reshape(48, -1), expected, atol=1e-5, rtol=1e-4)


def test_lean_forward_is_the_library_s(downstream: Any) -> None:
    language = downstream.model.language_model
    language.set_attn_implementation("eager")
    ids = torch.randint(0, 600, (3, 40), generator=torch.Generator().manual_seed(0))
    positions = torch.arange(40).expand(3, 3, -1) + torch.tensor([0, 2, 5])[:, None, None]
    with torch.no_grad():
        expected = language(input_ids=ids, position_ids=positions, output_attentions=True)
        found, attentions = run_language(language, language.embed_tokens(ids), positions, torch.float32)
    torch.testing.assert_close(found, expected.last_hidden_state, atol=1e-4, rtol=1e-4)
    for ours, theirs in zip(attentions, expected.attentions, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_merge_order_follows_the_patches() -> None:
    pixels = np.repeat(np.repeat(np.arange(64, dtype=np.uint8).reshape(8, 8), 14, 0), 14, 1)
    cells = merge_order(torch.arange(64.0).reshape(1, 8, 8, 1)).reshape(64)
    assert torch.equal(torch.argsort(to_patches(pixels[None])[0, :, 0]), torch.argsort(cells))


def test_mirroring_swaps_left_and_right_only() -> None:
    pixels = torch.zeros(4, 112, 112)
    labels = torch.tensor([[0, side, 2, 3, 4, 1] for side in (0, 1, 2, 3)])
    mirrored = flip(pixels, labels, torch.zeros(4, 8, 8, 4))[1]
    assert mirrored[:, 1].tolist() == [1, 0, 2, 3]
    assert torch.equal(mirrored[:, [0, 2, 3, 4, 5]], labels[:, [0, 2, 3, 4, 5]])


def test_held_out_wordings_are_apart() -> None:
    for phrases in (*CUES.values(), *OBJECTS.values()):
        assert not set(phrases.train) & set(phrases.held_out)
        # A held-out cue inside a training cue would have been seen.
        assert not [one for one in phrases.held_out for other in phrases.train if one in other or other in one]
    for phrases in (OPENERS, CLOSERS, VERBS):
        assert {text for text in phrases.train if len(text) > 1}.isdisjoint(phrases.held_out)


@pytest.mark.parametrize("family", HINT_FAMILIES)
def test_hints_are_recognised_by_their_cue(family: str) -> None:
    rng = random.Random(0)
    for part in ("train", "held_out"):
        assert {recognise(sample_hint(rng, family, part)) for _ in range(200)} == {family}


def test_confidence_targets_order_the_hints() -> None:
    rng = random.Random(0)
    for probability in (0.3, 0.6, 0.95):
        mean = {
            kind: sum(target_confidence(rng, kind, probability) for _ in range(200)) / 200
            for kind in ("none", "encouraging", "cautious", "weighing", "fitting", "other")
        }
        assert mean["fitting"] == round(100 * probability)
        assert mean["cautious"] < 50 < 85 < mean["none"] < mean["encouraging"] < 99
        assert min(mean["fitting"], mean["other"]) <= mean["weighing"] <= max(mean["fitting"], mean["other"])


def believed(family: str, *beliefs: float) -> OwnAnswer:
    options = ("Small", "Medium", "Large")[: len(beliefs)]
    return OwnAnswer(Asked(family, "What size?", options, 0), 0, beliefs)


def test_scales_take_the_usual_probability_down_to_the_mean_one() -> None:
    certain = [believed("modality", 0.99, 0.01)] * 9 + [believed("modality", 0.5, 0.5)]
    doubtful = [believed("size", 0.4, 0.35, 0.25)] * 9 + [believed("size", 0.9, 0.05, 0.05)]
    scales = greedy_scales(certain + doubtful)
    assert scales["modality"] == pytest.approx((9 * 0.99 + 0.5) / 10 / 0.99)
    assert scales["size"] == 1  # never upwards
    assert scales["shape"] == 1  # nothing is known of it


@pytest.mark.parametrize("drawn_state", [True, False])
def test_drawn_answers_keep_the_beliefs_and_may_state_no_number(drawn_state: bool) -> None:
    template = load_template(ANSWER_TEMPLATE)
    pictures = AnswerRows(template, draw_pictures(2, 0, 0), 1)
    known = [believed("size", 0.6, 0.4)]
    source = ConfidenceRows(template, known, pictures, scales={"size": 0.5}, drawn=0.5, drawn_state=drawn_state)
    rng = random.Random(0)
    rows = [row for row in (source.draw(rng) for _ in range(600)) if row.reason is not None]
    asked = [row for row in rows if row.options == ("Small", "Medium")]
    drawn = [row for row in asked if row.learn_finding]
    usual = [row for row in asked if not row.learn_finding]
    assert len(drawn) == pytest.approx(len(usual), rel=0.25)
    assert {row.answer for row in usual} == {0}
    assert {row.reason.probability for row in usual if row.reason} == {0.6 * 0.5}
    assert sum(row.answer == 0 for row in drawn) / len(drawn) == pytest.approx(0.6, abs=0.1)
    assert all(row.learn_confidence for row in usual)
    assert {row.learn_confidence for row in drawn} == {drawn_state}


def test_questions_are_shuffled_and_hold_the_gold() -> None:
    rng = random.Random(0)
    places = [0] * 5
    for _ in range(500):
        asked = ask_phantom(rng, [1, 1, 1, 1, 1, 1], "size")
        assert asked.gold is not None
        assert asked.options[asked.gold] == "Small"
        places[asked.gold] += 1
    assert min(places[:4]) > 50


def test_lookups_teach_the_letter_only() -> None:
    row = lookup_row(random.Random(0), load_template(ANSWER_TEMPLATE))
    assert (row.learn_finding, row.learn_letter, row.learn_confidence) == (False, True, False)


def test_the_loss_of_all_numbers_by_hand() -> None:
    levels = torch.tensor([0.0, 0.5, 1.0])
    logits = torch.tensor([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]).log().requires_grad_()  # p = 1/8, 1/4, 5/8
    loss = conftuner_loss(logits, levels, torch.tensor([True, False]))
    assert loss.item() == pytest.approx((0.1875 + 0.6875) / 2)
    (2 * loss).backward()
    # By logit j it is p_j times what (y - c_j)^2 is above the row's loss.
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx([0.1015625, 0.015625, -0.1171875])
    assert logits.grad[1].tolist() == pytest.approx([-0.0859375, -0.109375, 0.1953125])


@pytest.mark.parametrize("chance", [0, 3, 50, 77, 99])
def test_the_loss_is_least_where_the_chance_of_being_right_is_stated(chance: int) -> None:
    levels = torch.arange(100, dtype=torch.float64) / 100
    sure = 1e3 * torch.eye(100, dtype=torch.float64)
    losses = [
        chance / 100 * conftuner_loss(row[None], levels, torch.ones(1))
        + (1 - chance / 100) * conftuner_loss(row[None], levels, torch.zeros(1))
        for row in sure
    ]
    assert int(torch.stack(losses).argmin()) == chance


def own_replies(count: int) -> list[Row]:
    rng, template = random.Random(5), load_template(ANSWER_TEMPLATE)
    labels = draw_pictures(count, 0, 0).labels
    return [answer_row(template, ask_phantom(rng, each.tolist()), "", 0, 50, None) for each in labels]


def test_numbers_have_the_probability_of_their_digits(tokenizer: PreTrainedTokenizerBase, downstream: Any) -> None:
    rows = own_replies(2)
    found = number_logits(downstream, tokenizer, rows, None, "cpu", torch.float32)
    assert found.shape == (2, 100)
    for place, number in ((0, 7), (0, 0), (1, 42), (1, 90)):
        batch = collate(tokenizer, [replace(rows[place], reply=rows[place].reply.replace("50.", f"{number}."))])
        embedded = embed(downstream, batch, None, "cpu")
        hidden, _ = run_language(downstream.model.language_model, embedded, batch.positions, torch.float32)
        shares = downstream.lm_head(hidden[0]).log_softmax(-1)
        first = int(batch.digits_at[1, 0])
        said = [shares[at, batch.ids[0, at + 1]].item() for at in (first, first + 1)]  # two digits, or one and the stop
        assert found[place, number].item() == pytest.approx(sum(said), abs=1e-4)


def test_a_fine_tune_lowers_the_loss(tokenizer: PreTrainedTokenizerBase, downstream: Any) -> None:
    model, rows = deepcopy(downstream), [(row, False) for row in own_replies(2)]
    settings = LanguageSettings(steps=3, batch=2, learning_rate=2e-3, warmup=1)
    before = mean_loss(model, tokenizer, rows, None, "cpu")
    train_conftuner(model, tokenizer, rows, None, settings, 0, "cpu", lambda _: None)
    assert mean_loss(model, tokenizer, rows, None, "cpu") < before - 0.005


def test_all_stages_run_resume_and_publish(tmp_path: Path) -> None:
    lines: list[str] = []
    shop = Workshop(tmp_path / "work", FAST, 0, "cpu", lines.append)
    shop.folder.mkdir()
    torch.set_num_threads(1)
    run_stages(shop, STAGES, list(STAGES))
    lines.clear()
    run_stages(shop, STAGES, list(STAGES))
    assert lines == [f"{name}: finished before" for name in STAGES]
    publish(shop, tmp_path)
    for name, kind in ((DOWNSTREAM, AutoModelForImageTextToText), (POLICY, AutoModelForCausalLM)):
        folder = tmp_path / name
        kind.from_pretrained(folder)
        assert AutoTokenizer.from_pretrained(folder).padding_side == "left"
        assert "No clinical use" in (folder / "card.md").read_text(encoding="utf-8")
        assert (folder / "metrics.json").is_file()
    assert "conftuner" not in (tmp_path / DOWNSTREAM / "metrics.json").read_text(encoding="utf-8")
