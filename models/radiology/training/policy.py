"""The policy's supervised training: hints about the evidence that a question's kind is answered by.

The policy reads a question and its options, never the picture. Here it is taught outright which hints fit
(`hints.EVIDENCE`); the miniatures' start says a bit of everything instead, for reinforcement learning to choose from.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from models.radiology.data.hints import EVIDENCE, draw_hint, family_of
from models.radiology.data.prompts import chat_prompt
from models.radiology.data.questions import Asked
from models.radiology.training.batches import IGNORED
from models.radiology.training.loop import LoopSettings
from models.radiology.training.network import make_lean
from prompt4trust.files import write_atomically
from prompt4trust.prompts import PromptTemplate, guide_messages
from services.common.engine.parts.low_rank import CONFIG, PREFIX, WEIGHTS
from services.common.engine.parts.named_part import NamedPart
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.training import AdapterShape
from services.common.registry.policy_template import TEMPLATE_FILE

GUIDE_TEMPLATE = "guide-compact@1"
SHAPE = AdapterShape(rank=8, alpha=16)
_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_MOST_TOKENS = 40
_BY_KIND = 0.5  # of the draws: rare kinds would hardly be met otherwise

Pair = tuple[list[int], list[int]]
"""Tokens of a prompt, and of the hint to write."""
Wording = Callable[[Asked, random.Random], str]
"""Draws the hint that is to be written for a question."""


def fitting_hint(asked: Asked, rng: random.Random) -> str:
    """Word a hint about the evidence that a question's kind is answered by, as training words it."""
    return draw_hint(EVIDENCE[asked.kind], "train", rng)


def fresh_policy(parts: PartStore, part: NamedPart, *, seed: int, dtype: torch.dtype) -> PreTrainedModel:
    """Load the language model with an adapter that knows nothing yet.

    Args:
        parts: Where the part lies.
        part: The language model.
        seed: Of the untrained matrices.
        dtype: Of the frozen model; the adapter is float32.

    Returns:
        The model, in which only the adapter takes gradients.

    Raises:
        EngineError: If the part cannot be made ready.
    """
    from peft import LoraConfig, inject_adapter_in_model

    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        parts.directory(part), dtype=dtype, attn_implementation="eager", local_files_only=True
    )
    model.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(
            r=SHAPE.rank, lora_alpha=SHAPE.alpha, target_modules=list(_LINEAR), task_type="CAUSAL_LM"
        )  # fmt: skip
        inject_adapter_in_model(config, model)
    for name, weight in model.named_parameters():
        if ".lora_" in name:
            weight.data = weight.data.float()
            weight.requires_grad_(True)
    make_lean(model)
    return model


def encode(tokenizer: PreTrainedTokenizerBase, template: PromptTemplate, asked: Asked, hint: str) -> Pair:
    """Encode a question as the policy is asked it, and the hint with the end of its turn."""
    messages = guide_messages(template, asked.text, asked.lettered)
    prompt = chat_prompt(tokenizer, messages)
    ids = [
        tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, f"{hint}{tokenizer.eos_token}")
    ]  # fmt: skip
    return ids[0], ids[1]


def train_policy(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: PromptTemplate,
    asked: Sequence[Asked],
    held: Sequence[Asked],
    settings: LoopSettings,
    seed: int,
    file: Path,
    log: Callable[[str], None],
    word: Wording = fitting_hint,
) -> dict[str, object]:
    """Train what takes gradients on hints, and leave it as it was where its loss on other questions was least.

    Args:
        model: As `fresh_policy` made it, or a small model of its own.
        tokenizer: Its tokenizer, with the chat template of joined models.
        template: The wording of role "guide".
        asked: Training questions.
        held: Questions about other pictures, for the loss.
        settings: Length and step size (`adapter_rate`).
        seed: Of the draw.
        file: Where the best tensors are kept.
        log: Takes lines of progress.
        word: Draws the hints.

    Returns:
        Losses on the held-out questions by step, the best step, and seconds a step.
    """
    rng = random.Random(f"policy {seed}")
    draws = _batches(lambda: _draw(asked, rng, word), tokenizer, template, settings.batch)
    judges = random.Random("policy held")
    pairs = [encode(tokenizer, template, each, word(each, judges)) for each in held]
    adapter = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(adapter, lr=settings.adapter_rate, betas=(0.9, 0.98), weight_decay=0.01)
    losses: dict[str, float] = {}
    best, best_step, began = math.inf, 0, time.monotonic()
    for step in range(1, settings.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = settings.adapter_rate * settings.share(step - 1)
        loss = _loss(model, next(draws), tokenizer)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(adapter, 1.0)
        optimizer.step()
        line = f"policy step {step} of {settings.steps} loss {loss.item():.3f}"
        if settings.checks(step):
            losses[str(step)] = round(_held_loss(model, pairs, tokenizer), 4)
            line += f" held out {losses[str(step)]:.4f}"
            if losses[str(step)] < best:
                best, best_step = losses[str(step)], step
                save_file(_adapter(model), file)
        log(f"{line} {time.monotonic() - began:.0f} s")
    load_policy(model, file)
    seconds = (time.monotonic() - began) / settings.steps
    return {"held_out_losses": losses, "best_step": best_step, "seconds_a_step": round(seconds, 2)}


def load_policy(model: PreTrainedModel, file: Path) -> None:
    """Put the adapter's tensors back; ValueError where they are another model's."""
    outcome: Any = model.load_state_dict(load_file(file), strict=False)
    if outcome.unexpected_keys or set(outcome.missing_keys) & set(_adapter(model)):
        raise ValueError(f"{file.name} does not fit the model")


@torch.no_grad()
def write_hints(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: PromptTemplate,
    asked: Sequence[Asked],
    batch: int = 64,
) -> list[str]:
    """Let the policy write a hint for each question, greedily."""
    written = []
    pad = int(tokenizer.pad_token_id or 0)
    for start in range(0, len(asked), batch):
        prompts = [encode(tokenizer, template, each, "")[0] for each in asked[start : start + batch]]
        length = max(map(len, prompts))
        ids = torch.tensor([[pad] * (length - len(each)) + each for each in prompts])
        mask = torch.tensor([[0] * (length - len(each)) + [1] * len(each) for each in prompts])
        generate: Any = model.generate
        said = generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=_MOST_TOKENS, do_sample=False, pad_token_id=pad,
            eos_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        texts = tokenizer.batch_decode(said[:, length:], skip_special_tokens=True)
        written += [str(text).strip() for text in texts]
    return written


def hint_shares(asked: Sequence[Asked], hints: Sequence[str]) -> dict[str, float]:
    """Count hints that name the evidence of the question's own kind, of another, or none that is known."""
    counts: Counter[str] = Counter()
    for each, hint in zip(asked, hints, strict=True):
        family = family_of(hint)
        counts["fitting" if family == EVIDENCE[each.kind] else "unknown" if family is None else "other"] += 1
    return {name: round(counts[name] / len(asked), 4) for name in ("fitting", "other", "unknown")}


def save_policy(
    model: PreTrainedModel, parts: PartStore, part: NamedPart, chat_template: str, template: PromptTemplate, to: Path
) -> None:
    """Save a version as the policy service reads it: the adapter in bfloat16, the part's name, and the wording.

    Args:
        model: The trained model.
        parts: Where the part lies.
        part: The language model.
        chat_template: The wording around a chat.
        template: Of role "guide".
        to: The version's directory, made if needed; of its other files nothing is changed.
    """
    from peft import get_peft_model_state_dict

    to.mkdir(parents=True, exist_ok=True)
    saved = get_peft_model_state_dict(model)
    tensors = {PREFIX + name: each.detach().to(torch.bfloat16).contiguous() for name, each in saved.items()}
    save_file(tensors, to / WEIGHTS, metadata={"format": "pt"})
    measures = {"r": SHAPE.rank, "lora_alpha": SHAPE.alpha, "lora_dropout": SHAPE.dropout}
    adapter = {"peft_type": "LORA", "task_type": "CAUSAL_LM", **measures, "bias": "none", "inference_mode": True}
    named = {"target_modules": sorted(_LINEAR), "base_model_name_or_path": part.name}
    write_atomically(to / CONFIG, json.dumps({**adapter, **named}, indent=2) + "\n")
    described = json.loads((parts.directory(part) / "config.json").read_text(encoding="utf-8"))
    described["parts"] = {"language": part.written()}
    write_atomically(to / "config.json", json.dumps(described, indent=2) + "\n")
    write_atomically(to / "chat_template.jinja", chat_template)
    write_atomically(to / TEMPLATE_FILE, template.model_dump_json(indent=2) + "\n")


def _adapter(model: PreTrainedModel) -> dict[str, Tensor]:
    return {name: each.detach() for name, each in model.named_parameters() if each.requires_grad}


def _draw(asked: Sequence[Asked], rng: random.Random, word: Wording) -> tuple[Asked, str]:
    """Draw a question, every other time by its kind first, its options in any order, and a hint."""
    kinds = sorted({each.kind for each in asked})
    kind = rng.choice(kinds) if rng.random() < _BY_KIND else None
    chosen = rng.choice([each for each in asked if kind in (None, each.kind)]).reordered(rng)
    return chosen, word(chosen, rng)


def _batches(
    draw: Callable[[], tuple[Asked, str]], tokenizer: PreTrainedTokenizerBase, template: PromptTemplate, size: int
) -> Iterator[list[Pair]]:
    while True:
        pool = sorted((encode(tokenizer, template, *draw()) for _ in range(4 * size)), key=lambda pair: len(pair[0]))
        parts = [pool[start : start + size] for start in range(0, len(pool), size)]
        yield from parts[::2] + parts[1::2][::-1]


def _loss(model: PreTrainedModel, pairs: Sequence[Pair], tokenizer: PreTrainedTokenizerBase) -> Tensor:
    length = max(len(prompt) + len(hint) for prompt, hint in pairs)
    ids = torch.full((len(pairs), length), int(tokenizer.pad_token_id or 0))  # padded on the right, which needs no mask
    targets = torch.full((len(pairs), length), IGNORED)
    for row, (prompt, hint) in enumerate(pairs):
        ids[row, : len(prompt) + len(hint)] = torch.tensor(prompt + hint)
        targets[row, len(prompt) - 1 : len(prompt) + len(hint) - 1] = torch.tensor(hint)
    decoder: Any = model.get_decoder()
    head: Any = model.get_output_embeddings()
    counted = targets != IGNORED
    hidden: Tensor = decoder(input_ids=ids, use_cache=False).last_hidden_state[counted]
    return functional.cross_entropy(head(hidden).float(), targets[counted])


@torch.no_grad()
def _held_loss(
    model: PreTrainedModel, pairs: Sequence[Pair], tokenizer: PreTrainedTokenizerBase, size: int = 32
) -> float:
    ordered = sorted(pairs, key=lambda pair: len(pair[0]))
    parts = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    return sum(float(_loss(model, part, tokenizer)) * len(part) for part in parts) / len(pairs)
