"""The recipe's stages, each leaving its result in the work folder so that a broken run goes on where it stopped."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from models.recipe.data.corpus import VOCABULARY, training_texts
from models.recipe.data.pictures import draw_pictures
from models.recipe.data.rows import answer_row, ask_phantom, lookup_row
from models.recipe.data.text import ANSWER_TEMPLATE, GUIDE_TEMPLATE, Row
from models.recipe.networks.architecture import SHIPPED, Design, new_downstream, new_policy
from models.recipe.networks.tokenizer import train_tokenizer
from models.recipe.plan import Plan
from models.recipe.training.answers import AnswerRows, cache_features, foreign_pixels
from models.recipe.training.confidence import (
    ConfidenceRows,
    ReasonHeads,
    fit_temperatures,
    greedy_scales,
    option_logits,
    own_answers,
)
from models.recipe.training.conftuner import mean_loss, train_conftuner
from models.recipe.training.language import LanguageSettings, by_length, letter_accuracy, train_language
from models.recipe.training.policy import train_policy
from models.recipe.training.vision import train_vision, vision_accuracy
from prompt4trust.prompts import load_template

# Places in the train split's stream of pictures: no stage sees another's.
_VISION_FROM, _ANSWERS_FROM, _CONFIDENCE_FROM, _EASY_FROM, _HELD_FROM = 0, 200_000, 300_000, 400_000, 500_000
_ANSWERS_AGAIN_FROM, _CONFIDENCE_AGAIN_FROM, _CONFTUNER_FROM = 250_000, 350_000, 450_000
_STRANGERS = 0.12


@dataclass(frozen=True, slots=True)
class Workshop:
    """A run's folder, plan, seed and device.

    Attributes:
        folder: results of finished stages.
        plan: sizes.
        seed: of everything random.
        device: "cpu" or "cuda".
        log: takes progress lines.
        design: the downstream model's sizes.
    """

    folder: Path
    plan: Plan
    seed: int
    device: str
    log: Callable[[str], None]
    design: Design = SHIPPED

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Load the trained tokenizer."""
        loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(self.folder / "tokenizer")
        return loaded

    def downstream(self, tokenizer: PreTrainedTokenizerBase, *stages: str) -> Any:
        """Make the downstream model with the weights that stages left, in that order."""
        torch.manual_seed(self.seed)
        model = new_downstream(tokenizer, self.design)
        for stage in stages:
            model.load_state_dict(load_file(self.folder / f"{stage}.safetensors"), strict=False)
        return model.to(self.device)  # type: ignore[arg-type]  # the stub wants nn.Module

    def policy(self, tokenizer: PreTrainedTokenizerBase, *stages: str) -> Any:
        """Make the policy with the weights that stages left."""
        torch.manual_seed(self.seed)
        model = new_policy(tokenizer)
        model.set_attn_implementation("eager")
        for stage in stages:
            model.load_state_dict(load_file(self.folder / f"{stage}.safetensors"))
        return model.to(self.device)  # type: ignore[arg-type]  # the stub wants nn.Module

    def save(self, stage: str, model: Any, part: str = "") -> None:
        """Keep a stage's weights; `part` keeps only the names that begin with it."""
        state = {name: value.cpu() for name, value in model.state_dict().items() if name.startswith(part)}
        save_file(state, self.folder / f"{stage}.safetensors")


def tokenizer_stage(shop: Workshop) -> dict[str, Any]:
    """Train the tokenizer."""
    tokenizer = train_tokenizer(training_texts(shop.seed, shop.plan.corpus_rounds), VOCABULARY)
    tokenizer.save_pretrained(shop.folder / "tokenizer")
    return {"vocabulary": len(tokenizer)}


def vision_stage(shop: Workshop) -> dict[str, Any]:
    """Stage V: the vision tower, rounded to bfloat16 so that cached image tokens are those of the shipped weights."""
    model, plan = shop.downstream(shop.tokenizer()), shop.plan
    easy = draw_pictures(plan.easy_pictures, shop.seed, _EASY_FROM, easy=True)
    pictures = draw_pictures(plan.vision_pictures, shop.seed, _VISION_FROM)
    heads = train_vision(model.model.visual, easy, pictures, plan.vision, shop.seed, shop.device, shop.log)
    with torch.no_grad():
        for value in model.model.visual.parameters():
            value.copy_(value.to(torch.bfloat16))
    held = draw_pictures(plan.exam, shop.seed, _HELD_FROM)
    shop.save("vision", model, "model.visual.")
    return {
        "head_accuracy": vision_accuracy(model.model.visual, heads, held, shop.device),
        "single_token_accuracy": vision_accuracy(model.model.visual, heads, held, shop.device, single=True),
    }


def lookup_stage(shop: Workshop) -> dict[str, Any]:
    """Stage L: from a finding to its letter among shuffled options, without pictures."""
    tokenizer = shop.tokenizer()
    model, template = shop.downstream(tokenizer), load_template(ANSWER_TEMPLATE)
    rng, held = random.Random(shop.seed), random.Random(f"{shop.seed} held")
    rows = _usual([lookup_row(held, template) for _ in range(shop.plan.exam)])
    settings = shop.plan.lookup
    train_language(
        model,
        tokenizer,
        by_length(lambda: lookup_row(rng, template), settings.batch),
        None,
        settings,
        shop.device,
        shop.log,
        lambda: f"letters {letter_accuracy(model, tokenizer, rows[:200], None, shop.device):.3f}",
    )
    shop.save("lookup", model)
    return {"letter_given_finding": letter_accuracy(model, tokenizer, rows, None, shop.device)}


def _usual(rows: list[Row]) -> list[Row]:
    """Keep look-ups among 2 to 5 options, the numbers that the benchmark asks; longer lists are there to stretch."""
    return [row for row in rows if len(row.options) <= 5]


def _stage_pictures(shop: Workshop, visual: Any, n: int, start: int) -> tuple[AnswerRows, Tensor]:
    """Draw fresh pictures and foreign ones, and run them through the tower."""
    pictures = draw_pictures(n, shop.seed, start)
    foreign = foreign_pixels(shop.plan.foreign_pictures, shop.seed + start)
    features = [cache_features(visual, pixels, shop.device) for pixels in (pictures.pixels, foreign)]
    return AnswerRows(load_template(ANSWER_TEMPLATE), pictures, len(foreign)), torch.cat(features)


def answers_stage(shop: Workshop) -> dict[str, Any]:
    """Stage A: answers about pictures, look-ups kept alive among them."""
    return _answer(shop, ("lookup", "vision"), "answers", _ANSWERS_FROM, shop.seed + 1, shop.plan.answers)


def answers_again_stage(shop: Workshop) -> dict[str, Any]:
    """Stage A once more, on fresh pictures and from a raised step size (a warm restart; arXiv 1608.03983)."""
    settings = shop.plan.answers_again
    return _answer(shop, ("answers",), "answers_again", _ANSWERS_AGAIN_FROM, shop.seed + 11, settings)


def _answer(
    shop: Workshop, before: Sequence[str], stage: str, start: int, seed: int, settings: LanguageSettings
) -> dict[str, Any]:
    tokenizer = shop.tokenizer()
    model = shop.downstream(tokenizer, *before)
    rows, features = _stage_pictures(shop, model.model.visual, shop.plan.answer_pictures, start)
    rng = random.Random(seed)
    lookups = _held_lookups(shop, rows, len(features))
    shop.log("pictures are ready")
    train_language(
        model,
        tokenizer,
        by_length(lambda: rows.draw(rng), settings.batch),
        features,
        settings,
        shop.device,
        shop.log,
        lambda: f"letters {letter_accuracy(model, tokenizer, lookups[:200], features, shop.device):.3f}",
    )
    shop.save(stage, model)
    return {"letter_given_finding": letter_accuracy(model, tokenizer, lookups, features, shop.device)}


def _held_lookups(shop: Workshop, rows: AnswerRows, pictures: int) -> list[Row]:
    held = random.Random(f"{shop.seed} held")
    return _usual([lookup_row(held, rows.template, held.randrange(pictures)) for _ in range(shop.plan.exam)])


def confidence_stage(shop: Workshop) -> dict[str, Any]:
    """Stage B: stated confidence by the hint's meaning."""
    return _state(shop, "answers_again", "confidence", _CONFIDENCE_FROM, shop.seed + 2, shop.plan.confidence)


def confidence_again_stage(shop: Workshop) -> dict[str, Any]:
    """Stage B once more, on fresh pictures, with what the model believes by now, and with strangers' questions.

    What is shipped is asked greedily: the number is learned of the likeliest answers only, and as a greedy reply is to
    state it.
    """
    settings = shop.plan.confidence_again
    return _state(shop, "confidence", "confidence_again", _CONFIDENCE_AGAIN_FROM, shop.seed + 12, settings, last=True)


def _state(
    shop: Workshop,
    before: str,
    stage: str,
    start: int,
    seed: int,
    settings: LanguageSettings,
    *,
    last: bool = False,
) -> dict[str, Any]:
    tokenizer = shop.tokenizer()
    model = shop.downstream(tokenizer, before).eval()
    rows, features = _stage_pictures(shop, model.model.visual, shop.plan.confidence_pictures, start)
    rng = random.Random(seed)
    asked = [(ask_phantom(rng, labels.tolist()), index) for index, labels in enumerate(rows.pictures.labels)]
    logits = option_logits(model, tokenizer, rows.template, asked, features, shop.device)
    temperatures = fit_temperatures(asked, logits)
    known = own_answers(asked, logits, temperatures)
    accuracy = sum(own.answer == own.asked.gold for own in known) / len(known)
    shop.log(f"own answers: accuracy {accuracy:.3f}, temperatures {temperatures}")
    figures: dict[str, Any] = {"labelling_accuracy": accuracy, "temperatures": temperatures}
    source = ConfidenceRows(rows.template, known, rows)
    if last:
        figures["scales"] = greedy_scales(known)
        source = replace(source, scales=figures["scales"], strangers=_STRANGERS, drawn=0.4, drawn_state=False)
    torch.manual_seed(seed)
    train_language(
        model,
        tokenizer,
        by_length(lambda: source.draw(rng), settings.batch),
        features,
        settings,
        shop.device,
        shop.log,
        aside=ReasonHeads(shop.design.width),
    )
    shop.save(stage, model)
    # The letter follows from the finding all but always, or a number that speaks of the finding would promise too much.
    given = [answer_row(rows.template, each, "", each.gold, 0, index) for each, index in asked[: shop.plan.exam]]
    return {**figures, "letter_given_finding": letter_accuracy(model, tokenizer, given, features, shop.device)}


def conftuner_stage(shop: Workshop) -> dict[str, Any]:
    """Stage T: the number that is stated without a hint, learned from right and wrong answers by ConfTuner's loss.

    It follows the last stage, and nothing that is published is made of it. Unlike stage B it is told the truth.
    """
    tokenizer = shop.tokenizer()
    model = shop.downstream(tokenizer, "confidence_again").eval()
    rows, features = _stage_pictures(shop, model.model.visual, shop.plan.confidence_pictures, _CONFTUNER_FROM)
    rng = random.Random(shop.seed + 13)
    asked = [(ask_phantom(rng, labels.tolist()), index) for index, labels in enumerate(rows.pictures.labels)]
    logits = option_logits(model, tokenizer, rows.template, asked, features, shop.device)
    own = [
        (answer_row(rows.template, each, "", int(line.argmax()), 50, index), int(line.argmax()) == each.gold)
        for (each, index), line in zip(asked, logits, strict=True)
    ]
    held, learned = own[: shop.plan.exam], own[shop.plan.exam :]
    before = mean_loss(model, tokenizer, held, features, shop.device)
    settings = shop.plan.conftuner
    train_conftuner(model, tokenizer, learned, features, settings, shop.seed + 13, shop.device, shop.log)
    shop.save("conftuner", model)
    after = mean_loss(model, tokenizer, held, features, shop.device)
    return {"held": len(held), "loss_before": before, "loss_after": after}


def policy_stage(shop: Workshop) -> dict[str, Any]:
    """Give the policy its supervised start."""
    tokenizer = shop.tokenizer()
    model = shop.policy(tokenizer)
    train_policy(model, tokenizer, load_template(GUIDE_TEMPLATE), shop.plan.policy, shop.seed, shop.device, shop.log)
    shop.save("policy", model)
    return {}


STAGES: dict[str, Callable[[Workshop], dict[str, Any]]] = {
    "tokenizer": tokenizer_stage,
    "vision": vision_stage,
    "lookup": lookup_stage,
    "policy": policy_stage,
    "answers": answers_stage,
    "answers_again": answers_again_stage,
    "confidence": confidence_stage,
    "confidence_again": confidence_again_stage,
    "conftuner": conftuner_stage,
}
ON_DEMAND = frozenset({"conftuner"})
"""Stages that are run only where they are named."""
