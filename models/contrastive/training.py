"""Training of the two towers together, in steps that a broken run goes on from."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPModel, PreTrainedTokenizerFast

from models.contrastive.wordings import worded
from models.recipe.data.pictures import SHAPE_NAMES, UNDEFINED, Pictures
from models.recipe.networks.architecture import GRID
from models.recipe.training.vision import PIXEL_MEAN, PIXEL_STD, flip, learning_rate_share
from prompt4trust.datasets.phantoms import FAMILIES

_LARGEST_SCALE = 4.6052  # log(100), CLIP's own bound


@dataclass(frozen=True, slots=True)
class ContrastiveSettings:
    """Length and step size.

    Attributes:
        easy_steps: First steps, on plain pictures alone.
        steps, batch, learning_rate, warmup: As usual; cosine decay.
        keep_every: Steps between two checkpoints.
    """

    easy_steps: int = 450
    steps: int = 1150
    batch: int = 48
    learning_rate: float = 1.5e-3
    warmup: int = 60
    keep_every: int = 50


class DenseHead(nn.Module):
    """Throw-away head that says what lies in each patch: coverage, centres, log radius, one logit a shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, 3 + len(SHAPE_NAMES))

    def forward(self, patches: Tensor) -> Tensor:
        """Read patches [B, 64, width] as [B, 64, 8]."""
        read: Tensor = self.read(self.norm(patches))
        return read


def to_pixels(pictures: Tensor) -> Tensor:
    """Normalise grey uint8 [B, 112, 112] to float32 [B, 3, 112, 112], as the image processor does."""
    grey = (pictures.float() / 255 - PIXEL_MEAN) / PIXEL_STD
    return grey[:, None].expand(-1, 3, -1, -1)


def encode_texts(model: CLIPModel, tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> Tensor:
    """Encode texts as unit vectors [texts, projection]."""
    inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    features = model.get_text_features(**inputs).pooler_output
    return F.normalize(features.float(), dim=-1)


def look(model: CLIPModel, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Encode pictures as unit vectors [B, projection], and give their patches [B, 64, width]."""
    seen = model.vision_model(pixel_values=pixels)
    features = model.visual_projection(seen.pooler_output)
    return F.normalize(features.float(), dim=-1), seen.last_hidden_state[:, 1:]


def dense_loss(read: Tensor, cells: Tensor) -> Tensor:
    """Add the losses of the dense head.

    Args:
        read: [B, 64, 8].
        cells: [B, 8, 8, 4], see `Pictures.cells`.
    """
    gold, read = cells.reshape(-1, GRID * GRID, cells.shape[-1]), read.float()
    centres = gold[..., 1] > 0
    shapes = F.cross_entropy(read[..., 3:].flatten(0, 1), gold[..., 3].long().flatten(), ignore_index=-1)
    radii = F.smooth_l1_loss(read[..., 2][centres], gold[..., 2][centres])
    maps = F.mse_loss(read[..., 0], gold[..., 0]) + F.mse_loss(read[..., 1], gold[..., 1])
    return 5 * maps + radii + shapes


def family_losses(similar: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy between a family's values, for every family.

    Args:
        similar: Scaled cosines with all values of all families [B, 28].
        labels: int64 [B, 6], UNDEFINED where a picture has no value.

    Returns:
        float32 [6].
    """
    parts = similar.split([len(values) for values in FAMILIES.values()], dim=-1)
    return torch.stack(
        [F.cross_entropy(part, labels[:, index], ignore_index=UNDEFINED) for index, part in enumerate(parts)]
    )


def train_towers(
    model: CLIPModel,
    tokenizer: PreTrainedTokenizerFast,
    easy: Pictures,
    pictures: Pictures,
    settings: ContrastiveSettings,
    seed: int,
    checkpoint: Path,
    log: Callable[[str], None],
) -> None:
    """Train a model in place; goes on from the checkpoint if there is one, with the same steps as without a break.

    Args:
        model: Untrained.
        tokenizer: Its tokenizer.
        easy: Plain pictures for the first steps.
        pictures: Pictures as they come for the rest.
        settings: Length and step size.
        seed: Of the order, the wordings and the head.
        checkpoint: File of the latest state.
        log: Takes lines of progress.
    """
    torch.manual_seed(seed)
    head = DenseHead(model.vision_model.embeddings.embed_dim)
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.05)
    step = _resume(checkpoint, model, head, optimizer)
    began = time.monotonic()
    while step < settings.steps:
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_share(step, settings.steps, settings.warmup)
        losses = _losses(model, tokenizer, head, easy if step < settings.easy_steps else pictures, settings, seed, step)
        optimizer.zero_grad()
        (losses[0].mean() + losses[1]).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=_LARGEST_SCALE)
        if step % 100 == 0:
            listed = " ".join(f"{name} {value:.3f}" for name, value in zip(FAMILIES, losses[0].tolist(), strict=True))
            log(
                f"step {step} {listed} patches {losses[1].item():.3f} scale {model.logit_scale.exp().item():.1f} "
                f"{time.monotonic() - began:.0f} s"
            )
        step += 1
        if step % settings.keep_every == 0 and step < settings.steps:
            _keep(checkpoint, model, head, optimizer, step)


def _losses(
    model: CLIPModel,
    tokenizer: PreTrainedTokenizerFast,
    head: DenseHead,
    source: Pictures,
    settings: ContrastiveSettings,
    seed: int,
    step: int,
) -> tuple[Tensor, Tensor]:
    """Losses of one step: of the families [6], and of the dense head."""
    rng = random.Random(f"{seed} {step}")  # of the step alone, so that a resumed run takes the same pictures
    chosen = torch.tensor(rng.sample(range(len(source.pixels)), min(settings.batch, len(source.pixels))))
    batch = tuple(torch.from_numpy(part)[chosen] for part in (source.pixels, source.labels, source.cells))
    pixels, labels, cells = flip(*batch) if rng.random() < 0.5 else batch
    seen, patches = look(model, to_pixels(pixels))
    told = encode_texts(model, tokenizer, worded(rng))
    return family_losses(model.logit_scale.exp() * seen @ told.T, labels), dense_loss(head(patches), cells)


def _keep(checkpoint: Path, model: CLIPModel, head: DenseHead, optimizer: torch.optim.Optimizer, step: int) -> None:
    state = {"model": model.state_dict(), "head": head.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    new = checkpoint.with_suffix(".new")
    torch.save(state, new)  # read by this recipe alone, and with weights_only
    new.replace(checkpoint)


def _resume(checkpoint: Path, model: CLIPModel, head: DenseHead, optimizer: torch.optim.Optimizer) -> int:
    if not checkpoint.is_file():
        return 0
    state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    head.load_state_dict(state["head"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


@torch.no_grad()
def zero_shot_accuracy(
    model: CLIPModel, tokenizer: PreTrainedTokenizerFast, pictures: Pictures, prompt: str
) -> dict[str, float]:
    """Share of right values by family among all its values, each written into a prompt with {option}."""
    model.eval()
    told = encode_texts(
        model, tokenizer, [prompt.format(option=value) for values in FAMILIES.values() for value in values]
    )
    seen = torch.cat([look(model, to_pixels(part))[0] for part in torch.from_numpy(pictures.pixels).split(250)])
    labels, parts = torch.from_numpy(pictures.labels), (seen @ told.T).split([len(v) for v in FAMILIES.values()], -1)
    found = {}
    for index, (family, part) in enumerate(zip(FAMILIES, parts, strict=True)):
        known = labels[:, index] != UNDEFINED
        found[family] = round((part.argmax(-1) == labels[:, index])[known].float().mean().item(), 4)
    return found
