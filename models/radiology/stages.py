"""The recipe's stages, each leaving its result in the work folder."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from models.radiology.data.features import compute_views
from models.radiology.data.hints import draw_hint, family_for
from models.radiology.data.prompts import Row
from models.radiology.data.questions import Asked, known_parts
from models.radiology.training.align import align
from models.radiology.training.answers import AnswerRows
from models.radiology.training.batches import Batch, Encoder, by_length
from models.radiology.training.beliefs import OwnAnswer, fit_temperatures, option_logits, own_answers
from models.radiology.training.confidence import HINT_ODDS, ConfidenceRows, ReasonHeads, stating
from models.radiology.training.gate import judge_hints
from models.radiology.training.loop import LoopSettings, train
from models.radiology.training.policy import GUIDE_TEMPLATE, fresh_policy, hint_shares, train_policy, write_hints
from models.radiology.workshop import VIEWS_SEED, Workshop
from models.staged_runs import read_record, run_stages
from prompt4trust.prompts import load_template
from services.common.engine.vision.joined.training import picture_features

LAST = "confidence_again"
"""The stage whose weights ship."""
POLICY_STAGE = "policy"
_SEEN = ("body part", "modality", "organ", "plane")
"""Kinds that the picture answers: a spoilt picture makes them doubtful."""


def features_stage(shop: Workshop) -> dict[str, Any]:
    """Compute the features of all views, once for all seeds."""
    file = shop.work / "features.safetensors"
    if not file.is_file():
        model = shop.model()
        compute_views(
            shop.data / "images",
            shop.splits,
            shop.plan.views,
            VIEWS_SEED,
            lambda pictures: picture_features(model, pictures),
            file,
            shop.log,
        )
    return {"views": len(shop.views.features)}


def answers_stage(shop: Workshop) -> dict[str, Any]:
    """Align the projector, then learn answers, finding first."""
    model = shop.model()
    encoder = shop.encoder(model)
    known = known_parts(shop.questions("train"))
    labelled = [(view, known[name]) for name in known for view in (shop.views.clean[name], *shop.views.augmented[name])]
    named = align(
        model,
        encoder.tokenizer,
        shop.views.features[[view for view, _ in labelled]],
        [words for _, words in labelled],
        steps=shop.plan.align_steps,
        seed=shop.seed,
        log=shop.log,
    )
    source = AnswerRows(shop.questions("train"), shop.views)
    rng = random.Random(f"answers {shop.seed}")
    settings = shop.plan.answers
    figures = train(
        model,
        by_length(lambda: source.draw(rng), encoder, settings.batch),
        _batches(source.held(_held(shop)), encoder),
        shop.views.features,
        settings,
        shop.folder / "answers.safetensors",
        shop.log,
    )
    return {"aligned": round(named, 4), **figures}


def confidence_stage(shop: Workshop) -> dict[str, Any]:
    """Learn to state a number: the own probability under a fitting hint, overconfident by habit."""
    return _state(shop, "answers", "confidence", shop.plan.confidence)


def confidence_again_stage(shop: Workshop) -> dict[str, Any]:
    """Learn it once more, by what the model believes now: what a hint is to a question takes long to be seen."""
    return _state(shop, "confidence", "confidence_again", shop.plan.confidence_again)


def _state(shop: Workshop, before: str, stage: str, settings: LoopSettings) -> dict[str, Any]:
    model = shop.model(before)
    encoder = shop.encoder(model)
    views = shop.views
    judged = [(each, views.clean[each.picture]) for each in _held(shop)]
    judged += [(each, views.spoilt[each.picture][0]) for each in _held(shop) if each.kind in _SEEN]
    model.language_model.set_attn_implementation("sdpa")
    logits = option_logits(model, encoder, judged, views.features)
    temperatures = fit_temperatures([each for each, _ in judged], logits)
    shop.log(f"temperatures {temperatures}")
    held = own_answers(judged, logits, temperatures)
    for name in ("", *sorted({each.kind for each, _ in judged})):
        own = [each for each in held if name in ("", each.asked.kind) and each.view == views.clean[each.asked.picture]]
        right = sum(each.answer == each.asked.gold for each in own)
        shop.log(f"validation {name or 'all'}: {right} of {len(own)} right")
    asked = _to_label(shop)
    known = own_answers(asked, option_logits(model, encoder, asked, views.features), temperatures)
    model.language_model.set_attn_implementation("eager")
    shop.log(
        f"{len(known)} own answers, {sum(each.answer == each.asked.gold for each in known) / len(known):.3f} right"
    )
    source = ConfidenceRows(known, AnswerRows(shop.questions("train"), views))
    rng = random.Random(f"{stage} {shop.seed}")
    figures = train(
        model,
        by_length(lambda: source.draw(rng), encoder, settings.batch),
        _batches(_stated(held, shop.seed), encoder),
        views.features,
        settings,
        shop.folder / f"{stage}.safetensors",
        shop.log,
        aside=(heads := ReasonHeads(int(model.config.text_config.hidden_size))),
        extra=heads,
    )
    return {"temperatures": {kind or "common": round(heat, 3) for kind, heat in temperatures.items()}, **figures}


def gate_stage(shop: Workshop) -> dict[str, Any]:
    """Try hints on validation: policy training is only worth it where fitting ones help."""
    model = shop.model(LAST)
    model.language_model.set_attn_implementation("sdpa")
    asked = random.Random("gate").sample(
        shop.questions("validation"), min(shop.plan.gate, len(shop.questions("validation")))
    )
    return judge_hints(model, shop.encoder(model), asked, shop.views, shop.log)


def policy_stage(shop: Workshop) -> dict[str, Any]:
    """Teach a policy to name the evidence that a question's kind is answered by; it needs no stage before it."""
    model = fresh_policy(shop.parts, shop.language, seed=shop.seed, dtype=shop.dtype)
    tokenizer, template = shop.policy_tokenizer(), load_template(GUIDE_TEMPLATE)
    held = shop.questions("validation")
    figures = train_policy(
        model,
        tokenizer,
        template,
        shop.questions("train"),
        _held(shop),
        shop.plan.policy,
        shop.seed,
        shop.folder / "policy.safetensors",
        shop.log,
    )
    hints = write_hints(model, tokenizer, template, held)
    return {**figures, "validation_hints": hint_shares(held, hints)}


STAGES: dict[str, Callable[[Workshop], dict[str, Any]]] = {
    "features": features_stage,
    "answers": answers_stage,
    "confidence": confidence_stage,
    "confidence_again": confidence_again_stage,
    "gate": gate_stage,
    POLICY_STAGE: policy_stage,
}


def run_wanted(shop: Workshop, wanted: Sequence[str], *, named: bool) -> None:
    """Run stages; a policy is trained where its stage was named, or else where the gate that comes before was passed.

    Args:
        shop: The run.
        wanted: Stages, in their order.
        named: Whether they were named, and are not just all there are.

    Raises:
        OtherPlanError: If the folder holds stages of another plan.
    """
    run_stages(shop, STAGES, wanted if named else [name for name in wanted if name != POLICY_STAGE])
    if not named and POLICY_STAGE in wanted:
        if read_record(shop.folder, "gate")["passed"]:
            run_stages(shop, STAGES, [POLICY_STAGE])
        else:
            shop.log("policy: not trained, as the gate was not passed; --stage policy trains it all the same")


def _held(shop: Workshop) -> list[Asked]:
    asked = shop.questions("validation")
    return random.Random("held").sample(asked, min(shop.plan.held, len(asked)))


def _to_label(shop: Workshop) -> list[tuple[Asked, int]]:
    rng = random.Random(f"label {shop.seed}")
    asked, views = shop.questions("train"), shop.views
    plain = rng.sample(asked, min(shop.plan.labelled, len(asked)))
    seen = [each for each in asked if each.kind in _SEEN]
    hard = rng.sample(seen, min(shop.plan.labelled_spoilt, len(seen)))
    return [
        *((each, rng.choice((views.clean[each.picture], *views.augmented[each.picture]))) for each in plain),
        *((each, rng.choice(views.spoilt[each.picture])) for each in hard),
    ]


def _stated(held: Sequence[OwnAnswer], seed: int) -> list[Row]:
    rng = random.Random(f"stated {seed}")
    rows = []
    for own in held:
        kind = rng.choices(list(HINT_ODDS), list(HINT_ODDS.values()))[0]
        rows.append(stating(own, kind, draw_hint(family_for(kind, own.asked.kind, rng), "train", rng)))
    return rows


def _batches(rows: Sequence[Row], encoder: Encoder, size: int = 42) -> list[Batch]:
    ordered = sorted(rows, key=lambda row: len(encoder.prompt(row)))
    return [encoder(ordered[start : start + size]) for start in range(0, len(ordered), size)]
