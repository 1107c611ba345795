"""The policy's supervised start: hints of every kind, the fitting ones tied to the question, for learning to build on.

Reinforcement learning can only strengthen what is sometimes said. So the start says a bit of everything, and says
evidence hints of the question's own family more often than others: reading the question already pays.
"""

import random
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from models.recipe.data.hints import GENERIC_FAMILIES, QUESTION_FAMILIES, sample_hint
from models.recipe.data.rows import ask_foreign, count_options
from models.recipe.data.text import IGNORED, guide_prompt, lettered, shuffled
from models.recipe.networks.forward import run_language
from models.recipe.networks.tokenizer import TURN_END
from models.recipe.training.confidence import hint_family
from models.recipe.training.language import LanguageSettings
from models.recipe.training.vision import Log, learning_rate_share
from prompt4trust.datasets.phantoms import FAMILIES
from prompt4trust.datasets.phantoms.questions import TRAIN_WORDINGS
from prompt4trust.prompts import PromptTemplate

MIXTURE = {**dict.fromkeys(GENERIC_FAMILIES, 0.16), "fitting": 0.24, "other": 0.12}
_FOREIGN = 0.06
# What the start says when decoded greedily: a fair hint that reads nothing. Without a favourite sentence the likeliest
# one would already be a fitting hint, and learning would have nothing to show.
FAVOURITE = "Weigh the evidence for and against each option, then answer."
_FAVOURITE_SHARE = 0.8  # of the weighing hints


def draw_pair(rng: random.Random, template: PromptTemplate) -> tuple[str, str]:
    """Draw a prompt and the hint to write."""
    if rng.random() < _FOREIGN:
        asked = ask_foreign(rng)
        return guide_prompt(template, asked.question, lettered(asked.options)), sample_hint(
            rng, rng.choice(GENERIC_FAMILIES)
        )
    family = rng.choice(QUESTION_FAMILIES)
    options = shuffled(rng, FAMILIES[family])[: count_options(rng)]
    kind = rng.choices(list(MIXTURE), list(MIXTURE.values()))[0]
    prompt = guide_prompt(template, rng.choice(TRAIN_WORDINGS[family]), lettered(options))
    return prompt, _draw_hint(rng, hint_family(rng, kind, family))


def _draw_hint(rng: random.Random, family: str) -> str:
    if family == "weighing" and rng.random() < _FAVOURITE_SHARE:
        return FAVOURITE
    return sample_hint(rng, family)


def train_policy(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    template: PromptTemplate,
    settings: LanguageSettings,
    seed: int,
    device: str,
    log: Log,
) -> None:
    """Train the policy in place on prompts and sampled hints.

    Args:
        model: an untrained policy.
        tokenizer: the shared tokenizer.
        template: the prompt template of role "guide".
        settings: length and step size; guidance is not used.
        seed: of the draw.
        device: "cpu" or "cuda".
        log: called with progress lines.
    """
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.02)
    began = time.monotonic()
    ready: list[list[tuple[str, str]]] = []  # batches of like length, which halves the padding
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_share(step, settings.steps, settings.warmup)
        if not ready:
            pool = sorted((draw_pair(rng, template) for _ in range(8 * settings.batch)), key=lambda pair: len(pair[0]))
            ready = [pool[at : at + settings.batch] for at in range(0, len(pool), settings.batch)]
            rng.shuffle(ready)
        pairs = ready.pop()
        encodings = tokenizer.backend_tokenizer.encode_batch(
            [f"{prompt}{hint}{TURN_END}" for prompt, hint in pairs], add_special_tokens=False
        )
        length = max(len(encoding.ids) for encoding in encodings)
        ids = torch.full((len(pairs), length), tokenizer.pad_token_id)
        targets = torch.full((len(pairs), length), IGNORED)
        for row, (encoding, (prompt, _)) in enumerate(zip(encodings, pairs, strict=True)):
            own = torch.tensor(encoding.ids)
            start = encoding.char_to_token(len(prompt))
            ids[row, : len(own)] = own
            targets[row, start - 1 : len(own) - 1] = own[start:]
        counted = targets != IGNORED
        positions = torch.arange(length, device=device).expand(len(pairs), -1)
        hidden, _ = run_language(model.model, model.model.embed_tokens(ids.to(device)), positions, torch.bfloat16)
        logits = model.lm_head(hidden[counted.to(device)].float())
        loss = F.cross_entropy(logits, targets[counted].to(device))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0:
            log(f"policy step {step} loss {loss.item():.3f} {time.monotonic() - began:.0f} s")
