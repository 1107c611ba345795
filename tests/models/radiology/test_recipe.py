"""The recipe's machinery on tiny random parts: all stages, what is trained, what is stated, what is refused."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from models.radiology.data.hints import EVIDENCE, FAMILIES, KINDS, draw_hint, family_for, family_of
from models.radiology.data.prompts import Row, reply_text
from models.radiology.data.views import augmented, spoilt
from models.radiology.plan import FULL
from models.radiology.publish import NAME, POLICY, publish, publish_policy
from models.radiology.stages import LAST, POLICY_STAGE, STAGES, run_wanted
from models.radiology.training.beginnings import Beginnings
from models.radiology.training.beliefs import fit_temperatures, option_logits, own_answers
from models.radiology.training.confidence import stated_number
from models.radiology.training.network import hidden_states, reply_loss
from models.radiology.training.policy import GUIDE_TEMPLATE, SHAPE, encode, fresh_policy, hint_shares
from models.radiology.training.replies import Drawing, completions, greedy_replies
from models.radiology.workshop import Workshop
from models.staged_runs import OtherPlanError, is_finished, read_record, run_stages
from prompt4trust.prompts import load_template
from prompt4trust.verdict import Verdict, parse_verdict
from services.common.engine.model.loading import load_model
from services.common.engine.model.options import ModelOptions
from services.common.engine.vision.joined.loading import load_joined


@pytest.fixture(scope="module")
def finished(shop: Workshop) -> Workshop:
    run_stages(shop, STAGES, list(STAGES))
    return shop


def test_all_stages_run_and_are_not_run_again(finished: Workshop) -> None:
    records = {name: read_record(finished.folder, name) for name in STAGES}
    run_stages(finished, STAGES, list(STAGES))
    assert {name: read_record(finished.folder, name) for name in STAGES} == records
    assert records["answers"]["best_step"] in (1, 2)
    assert set(records["gate"]["hints"]) == {*KINDS, "fitting, held out"}
    assert records["gate"]["passed"] is False  # random weights write no valid reply: nothing may be built on them


@pytest.mark.parametrize(
    ("passed", "named", "trained"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_a_policy_is_trained_where_the_gate_was_passed_or_its_stage_is_named(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed: bool, named: bool, trained: bool
) -> None:
    for name in STAGES:
        monkeypatch.setitem(STAGES, name, lambda _: {"passed": passed})
    run = replace(shop, work=tmp_path)
    run_wanted(run, list(STAGES), named=named)
    assert is_finished(run.folder, POLICY_STAGE) == trained
    assert all(is_finished(run.folder, name) for name in STAGES if name != POLICY_STAGE)


def test_nothing_of_another_plan_is_taken_or_published(finished: Workshop, tmp_path: Path) -> None:
    whole = replace(finished, plan=FULL)
    with pytest.raises(OtherPlanError):
        publish(whole, tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="another plan of views"):
        _ = whole.views


def test_what_is_published_is_what_was_trained(finished: Workshop, tmp_path: Path) -> None:
    (tmp_path / NAME / "guards").mkdir(parents=True)
    (tmp_path / NAME / "guards" / "logprob.json").write_text("{}")
    folder = publish(finished, tmp_path)
    assert (folder / "guards" / "logprob.json").read_text() == "{}"
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert folder.name == NAME
    assert (folder / "provenance.json").is_file()
    trained = load_file(finished.folder / f"{LAST}.safetensors")
    served = load_joined(folder, finished.parts)
    expected = trained["projector.up.weight"].to(torch.bfloat16).float()
    assert torch.equal(served.projector.up.weight, expected)


def test_the_policy_is_served_as_it_was_trained(finished: Workshop, tmp_path: Path) -> None:
    shares = read_record(finished.folder, "policy")["validation_hints"]
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    version = tmp_path / POLICY
    publish_policy(finished, version)
    assert {each.name for each in version.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "config.json", "chat_template.jinja", "prompt.json",
    }  # fmt: skip
    trained = load_file(finished.folder / "policy.safetensors")
    served = load_model(ModelOptions(version, device="cpu", dtype="float32", parts=finished.parts.root)).network
    name = "model.layers.0.self_attn.q_proj"
    up, down = (trained[f"{name}.lora_{part}.default.weight"].to(torch.bfloat16).float() for part in "BA")
    plain = fresh_policy(finished.parts, finished.language, seed=5, dtype=torch.float32)
    before = plain.state_dict()[f"{name}.base_layer.weight"]
    found = served.state_dict()[f"{name}.weight"]
    torch.testing.assert_close(found, before + SHAPE.alpha / SHAPE.rank * (up @ down))
    assert not torch.equal(found, before)


def test_a_policy_learns_only_its_hints_and_not_the_questions(finished: Workshop) -> None:
    asked = finished.questions("validation")
    template = load_template(GUIDE_TEMPLATE)
    tokenizer = finished.policy_tokenizer()
    prompt, hint = encode(tokenizer, template, asked[0], "Take your time.")
    assert tokenizer.decode(hint) == f"Take your time.{tokenizer.eos_token}"
    text = str(tokenizer.decode(prompt))
    assert asked[0].text in text
    assert all(option in text for option in asked[0].options)
    written = hint_shares(asked[:2], [draw_hint(EVIDENCE[asked[0].kind], "held out", random.Random(1)), "Look well."])
    assert written == {"fitting": 0.5, "other": 0.0, "unknown": 0.5}


def test_features_are_computed_once_and_spoilt_views_differ(finished: Workshop) -> None:
    before = (finished.work / "features.safetensors").stat().st_mtime_ns
    STAGES["features"](finished)
    assert (finished.work / "features.safetensors").stat().st_mtime_ns == before
    views = finished.views
    assert len(views.features) == 9 + 4 * 2 + 3 * 1 + 1  # clean; augmented and spoilt of training; spoilt; the blank
    assert views.blank == len(views.features) - 1


def test_a_batch_teaches_what_its_rows_say(shop: Workshop) -> None:
    encoder = shop.encoder(shop.model())
    asked = next(each for each in shop.asked if each.kind == "plane")
    batch = encoder([Row(asked, asked.gold, 0), Row(asked, asked.gold, 0, learn_answer=False, learn_confidence=True)])
    text = str(encoder.tokenizer.decode(batch.targets[0][batch.targets[0] >= 0]))
    letter = list(asked.lettered)[asked.gold]
    assert text.startswith(f"Finding: Axial = {letter}. The answer is {letter} with confidence ")
    assert "95" not in text
    stated = str(encoder.tokenizer.decode(batch.targets[1][batch.targets[1] >= 0]))
    assert stated.lstrip().startswith("95.")
    at = int(batch.number_at[1])
    assert encoder.tokenizer.decode(batch.ids[1, at + 1]) == "9"
    assert sum(batch.ids[0] == shop.model().config.image_token_id) == 4


def test_the_lean_forward_computes_what_the_library_computes(shop: Workshop) -> None:
    lean = shop.model()
    encoder = shop.encoder(lean)
    with torch.no_grad():
        for name, weight in lean.named_parameters():
            if ".lora_B." in name:
                weight.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
    batch = encoder([Row(each, each.gold, 0) for each in shop.asked[:3]])
    features = torch.randn(1, 4, lean.config.feature_width, generator=torch.Generator().manual_seed(2))
    ours = hidden_states(lean, batch, features)
    for module in lean.language_model.modules():
        vars(module).pop("forward", None)
    torch.testing.assert_close(ours, hidden_states(lean, batch, features), rtol=1e-4, atol=1e-4)
    assert torch.isfinite(reply_loss(lean, ours, batch))


def test_replies_are_those_of_transformers(finished: Workshop) -> None:
    model = finished.model(LAST)
    encoder = finished.encoder(model)
    rows = [Row(each, 0, finished.views.clean[each.picture]) for each in finished.asked[:3]]
    together = greedy_replies(model, encoder, rows, finished.views.features)
    assert together == [greedy_replies(model, encoder, [row], finished.views.features)[0] for row in rows]


def test_replies_are_the_same_where_what_prompts_begin_with_is_kept(finished: Workshop) -> None:
    model = finished.model(LAST)
    encoder = finished.encoder(model)
    views = finished.views
    asked = finished.asked[:4]
    rows = [
        Row(each, 0, views.clean[each.picture], hint)
        for each in asked
        for hint in ("", "Look well.", "Take your time.")
    ]
    kept = Beginnings(model, encoder, views.features, batch=3)
    found = completions(model, encoder, rows, views.features, alternatives=3, beginnings=kept)
    whole = completions(model, encoder, rows, views.features, alternatives=3)
    assert [each.text for [each] in found] == [each.text for [each] in whole]
    for [own], [other] in zip(found, whole, strict=True):
        assert own.top_logprobs is not None
        assert other.top_logprobs is not None
        for mine, theirs in zip(own.top_logprobs, other.top_logprobs, strict=True):
            assert max(mine.values()) == pytest.approx(max(theirs.values()), abs=1e-4)
    begun = kept.of(rows)
    assert begun[0] is begun[1] is begun[2]
    assert all(encoder.prompt(row)[: len(each.ids)] == each.ids for row, each in zip(rows, begun, strict=True))
    assert any(len(encoder.prompt(row)) > len(each.ids) + 1 for row, each in zip(rows, begun, strict=True))


class Dictated:
    """Three samples that say 5 6 7, 5 9 7 and 5 6 8, and the logits after that."""

    count = 3

    def __init__(self, end: int) -> None:
        self.tokens = iter([[[5, 5, 5]], [[6, 9, 6]], [[7, 8], [7]], [[end], [end], [end]]])
        self.counts: list[Sequence[int]] = []
        self.last = torch.empty(0)

    def __call__(self, logits: torch.Tensor, counts: Sequence[int]) -> list[list[int]]:
        self.counts.append(counts)
        self.last = logits
        return next(self.tokens)


@torch.no_grad()
def test_samples_are_computed_once_until_they_part(finished: Workshop) -> None:
    model = finished.model(LAST)
    encoder = finished.encoder(model)
    row = Row(finished.asked[0], 0, 0, "Look well.")
    kept = Beginnings(model, encoder, finished.views.features)
    samples: Any = Dictated(int(encoder.tokenizer.eos_token_id or 0))
    [replies] = completions(model, encoder, [row], finished.views.features, drawing=samples, beginnings=kept)
    assert samples.counts == [[3], [3], [2, 1], [1, 1, 1]]
    said = [[5, 6, 7], [5, 6, 8], [5, 9, 7]]  # in the order of the lines
    texts = [str(encoder.tokenizer.decode(each, skip_special_tokens=True)) for each in said]
    assert [each.text for each in replies] == [texts[0], texts[2], texts[1]]
    for own, logits in zip(said, samples.last, strict=True):
        ids = torch.tensor([encoder.prompt(row) + own])
        embedded = model.placed(model.get_input_embeddings()(ids), ids, finished.views.features[[0]].float())
        expected = model.language_model(inputs_embeds=embedded).logits[0, -1]
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_samples_follow_the_models_own_distribution(finished: Workshop) -> None:
    """At a low temperature samples are the greedy reply; alternatives sum to the probability of what was written."""
    model = finished.model(LAST)
    encoder = finished.encoder(model)
    rows = [Row(each, 0, finished.views.clean[each.picture]) for each in finished.asked[:2]]
    greedy = completions(model, encoder, rows, finished.views.features, alternatives=5)
    cold = Drawing(3, 1e-4, 1.0, 20, torch.Generator().manual_seed(1))
    drawn = completions(model, encoder, rows, finished.views.features, drawing=cold)
    assert [[each.text for each in own] for own in drawn] == [[own[0].text] * 3 for own in greedy]
    for [own] in greedy:
        assert own.tokens is not None
        assert own.top_logprobs is not None
        assert len(own.tokens) == len(own.top_logprobs)
        assert all(
            max(likely, key=lambda name: likely[name]) == token
            for token, likely in zip(own.tokens, own.top_logprobs, strict=True)
        )
    chances = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().repeat(2, 1)
    draw = Drawing(1, 1.0, 0.79, 3, torch.Generator().manual_seed(2))
    many, few = draw(chances, [4000, 3])
    assert len(few) == 3
    counts = torch.bincount(torch.tensor(many), minlength=4) / 4000
    assert counts.tolist() == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)  # of the nucleus of two


def test_beliefs_are_probabilities_and_do_not_depend_on_batch_mates(finished: Workshop) -> None:
    model = finished.model("answers")
    encoder = finished.encoder(model)
    asked = [(each, finished.views.clean[each.picture]) for each in finished.questions("validation")]
    logits = option_logits(model, encoder, asked, finished.views.features)
    alone = option_logits(model, encoder, asked[:1], finished.views.features)
    assert logits[0] == pytest.approx(alone[0], abs=1e-4)
    heats = fit_temperatures([each for each, _ in asked], logits)
    assert set(heats) == {"", *(each.kind for each, _ in asked)}
    for own in own_answers(asked, logits, heats):
        assert sum(own.beliefs) == pytest.approx(1.0)
        assert own.beliefs[own.answer] == max(own.beliefs)


def test_few_questions_do_not_run_a_temperature_to_its_limit(shop: Workshop) -> None:
    many = [each for each in shop.asked if each.kind == "presence"] * 6
    few = [each for each in shop.asked if each.kind == "plane"][:1]
    sure = [[3.0 if place == each.gold else 0.0 for place in range(len(each.options))] for each in (*many, *few)]
    heats = fit_temperatures([*many, *few], [np.array(line) for line in sure])
    assert heats["plane"] == pytest.approx(heats[""], rel=0.25)


@pytest.mark.parametrize(
    ("kind", "own", "stated"),
    [("none", 0.5, 95), ("neutral", 0.99, 95), ("fitting", 0.5, 50), ("fitting", 0.63, 65), ("fitting", 0.99, 99),
     ("other", 0.5, 85), ("cautious", 0.5, 45), ("fitting", 0.0, 5)],
)  # fmt: skip
def test_the_stated_number_follows_from_the_hint_and_the_models_own_belief(kind: str, own: float, stated: int) -> None:
    assert stated_number(kind, own) == stated


def test_hints_are_recognised_and_held_out_wordings_are_others() -> None:
    rng = random.Random(0)
    for family in FAMILIES:
        train = {draw_hint(family, "train", rng) for _ in range(60)}
        held = {draw_hint(family, "held out", rng) for _ in range(60)}
        assert not train & held
        assert {family_of(hint) for hint in train | held} == {family}
    for question_kind, own in EVIDENCE.items():
        assert family_for("fitting", question_kind, rng) == own
        assert family_for("other", question_kind, rng) != own
    assert family_of("The answer is A.") is None


def test_a_reply_as_it_is_taught_is_read_as_it_is_meant(shop: Workshop) -> None:
    for each in shop.asked:
        for place, letter in enumerate(each.lettered):
            assert parse_verdict(reply_text(each, place, 85), list(each.lettered)) == Verdict(letter, 0.85)


def test_views_keep_left_left_and_spoilt_ones_lose_detail() -> None:
    picture = Image.new("L", (100, 80))
    picture.paste(255, (0, 0, 40, 80))
    picture = picture.convert("RGB")
    rng = random.Random(1)
    for _ in range(10):
        view = np.asarray(augmented(picture, rng).convert("L").resize((10, 8)))
        assert view[4, 1] > view[4, 8]
        assert spoilt(picture, rng).mode == "RGB"
    again = [spoilt(picture, random.Random(3)).tobytes() for _ in range(2)]
    assert again[0] == again[1]
