"""Stage V: teach the vision tower to see, with throw-away heads, before any language comes in.

Answers alone teach a small tower too slowly. Heads that must tell every family's value from the sixteen image tokens,
and what lies in each patch, do it in minutes; the language model then reads those tokens from a frozen tower.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.qwen2_vl.modeling_qwen2_vl import apply_rotary_pos_emb_vision

from models.recipe.data.pictures import SHAPE_NAMES, UNDEFINED, Pictures
from models.recipe.networks.architecture import GRID, IMAGE_SIDE, MERGE, PATCH
from prompt4trust.datasets.phantoms import FAMILIES

PIXEL_MEAN = 0.32
PIXEL_STD = 0.24
_MERGED = GRID // MERGE
_SIDE = list(FAMILIES).index("side")
_LEFT, _RIGHT = FAMILIES["side"].index("Left"), FAMILIES["side"].index("Right")

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class VisionSettings:
    """Length and step size of stage V.

    Attributes:
        easy_steps: first steps, on plain pictures alone.
        gather_from: the step from which every single token's own reading counts most.
        steps, batch, learning_rate, warmup: as usual; cosine decay.
    """

    easy_steps: int = 1200
    gather_from: int = 3000
    steps: int = 6400
    batch: int = 64
    learning_rate: float = 1.2e-3
    warmup: int = 100


class FamilyHeads(nn.Module):
    """Throw-away heads on the merged image tokens: one attention-pooled class head a family, and dense ones.

    The pooling knows no places, and a head asks every token for its own: the language model cannot tell the tokens'
    places apart either, so what depends on a place (side, level) must be written into the tokens by the tower. And each
    token must tell every family's value: gathering over the picture is the tower's work, where a picture teaches all
    families at once, and not the language model's, which hears of one family a question.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self._width = width
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Parameter(torch.randn(len(FAMILIES), 4, width) * 0.1)
        self.values = nn.ModuleList(nn.Linear(4 * width, len(values)) for values in FAMILIES.values())
        self.place = nn.Linear(width, _MERGED * _MERGED)
        self.every = nn.Linear(width, sum(len(values) for values in FAMILIES.values()))
        # Per patch: coverage, centres, log radius, one logit a shape.
        self.dense = nn.Linear(width, MERGE * MERGE * (3 + len(SHAPE_NAMES)))

    def forward(self, tokens: Tensor) -> tuple[list[Tensor], Tensor, Tensor, list[Tensor]]:
        """Read tokens [B, 16, width].

        Returns:
            Pooled logits a family [B, values], a dense map [B, 16, 4, 8], place logits [B, 16, 16], and each token's
            own logits a family [B, 16, values].
        """
        tokens = self.norm(tokens)
        weights = torch.einsum("fqd,bnd->bfqn", self.queries, tokens).mul(self._width**-0.5 * 4).softmax(-1)
        pooled = torch.einsum("bfqn,bnd->bfqd", weights, tokens).flatten(2)
        dense = self.dense(tokens).unflatten(-1, (MERGE * MERGE, -1))
        own = list(self.every(tokens).split([len(values) for values in FAMILIES.values()], dim=-1))
        return [head(pooled[:, index]) for index, head in enumerate(self.values)], dense, self.place(tokens), own


def to_patches(pixels: NDArray[np.uint8] | Tensor) -> Tensor:
    """Cut grey uint8 [B, 112, 112] into normalised patches float32 [B, 64, 196] in the image processor's order."""
    grey = (torch.as_tensor(pixels).float() / 255 - PIXEL_MEAN) / PIXEL_STD
    blocks = IMAGE_SIDE // PATCH // MERGE
    cut = grey.reshape(-1, blocks, MERGE, PATCH, blocks, MERGE, PATCH)
    return cut.permute(0, 1, 4, 2, 5, 3, 6).reshape(len(grey), GRID * GRID, PATCH * PATCH)


def merge_order(cells: Tensor) -> Tensor:
    """Reorder [B, 8, 8, C] patch maps to [B, 16, 4, C], as the merged image tokens see them."""
    size = cells.shape[-1]
    cut = cells.reshape(-1, _MERGED, MERGE, _MERGED, MERGE, size).permute(0, 1, 3, 2, 4, 5)
    return cut.reshape(-1, _MERGED * _MERGED, MERGE * MERGE, size)


def run_tower(visual: Any, patches: Tensor) -> Tensor:
    """Run a Qwen2-VL vision tower on a batch of equally sized grey pictures.

    The library's forward loops over pictures and repeats grey three channels and two frames; this is the same function
    computed batch-wise (a test holds the two together).

    Args:
        visual: the model's vision tower.
        patches: float32 [B, 64, 196] from `to_patches`.

    Returns:
        Image tokens [B, 16, width].
    """
    weight = visual.patch_embed.proj.weight.sum(dim=(1, 2)).flatten(1)
    hidden = F.linear(patches, weight)
    rows, columns = np.mgrid[0:GRID, 0:GRID].astype(np.float32)
    order = merge_order(torch.from_numpy(np.stack([rows, columns], axis=-1))[None]).reshape(GRID * GRID, 2)
    cos, sin = visual.rotary_pos_emb(hidden, order.to(hidden.device))
    for block in visual.blocks:
        heads = block.attn.num_heads
        qkv = block.attn.qkv(block.norm1(hidden)).unflatten(-1, (3, heads, -1))
        query, key, value = qkv.unbind(2)
        query, key = apply_rotary_pos_emb_vision(query, key, cos, sin)
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))
        weights = (query @ key.transpose(2, 3) * block.attn.scaling).float().softmax(-1).to(value.dtype)
        mixed = (weights @ value).transpose(1, 2).flatten(2)
        hidden = hidden + block.attn.proj(mixed)
        hidden = hidden + block.mlp(block.norm2(hidden))
    merged: Tensor = visual.merger(hidden)
    return merged.reshape(len(patches), _MERGED * _MERGED, -1)


def flip(pixels: Tensor, labels: Tensor, cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mirror pictures left to right; only the side's label changes."""
    labels = labels.clone()
    side = labels[:, _SIDE]
    labels[:, _SIDE] = torch.where(side == _LEFT, _RIGHT, torch.where(side == _RIGHT, _LEFT, side))
    return pixels.flip(-1), labels, cells.flip(2)


def _epochs(pictures: Pictures, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield full batches for ever, shuffled anew each epoch."""
    pixels, labels = torch.from_numpy(pictures.pixels), torch.from_numpy(pictures.labels)
    cells = torch.from_numpy(pictures.cells)
    while True:
        for chosen in torch.randperm(len(pixels), generator=generator).split(size):
            if len(chosen) == min(size, len(pixels)):
                yield pixels[chosen], labels[chosen], cells[chosen]


def vision_loss(families: list[Tensor], dense: Tensor, labels: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Add the class losses of all families and the dense losses.

    Args:
        families: logits [B, values] per family.
        dense: [B, 16, 4, 8].
        labels: int64 [B, 6].
        cells: [B, 16, 4, 4], see `Pictures.cells`.

    Returns:
        The loss, and the class losses [6] without gradient.
    """
    losses = torch.stack(
        [
            F.cross_entropy(logits.float(), labels[:, index], ignore_index=UNDEFINED)
            for index, logits in enumerate(families)
        ]
    )
    dense = dense.float()
    centres = cells[..., 1] > 0
    shapes = F.cross_entropy(dense[..., 3:].flatten(0, 2), cells[..., 3].long().flatten(), ignore_index=-1)
    radii = F.smooth_l1_loss(dense[..., 2][centres], cells[..., 2][centres])
    maps = F.mse_loss(dense[..., 0], cells[..., 0]) + F.mse_loss(dense[..., 1], cells[..., 1])
    return losses.mean() + 5 * maps + radii + shapes, losses.detach()


def every_token_loss(own: list[Tensor], labels: Tensor) -> Tensor:
    """Mean class loss of the families read from single tokens: logits [B, 16, values] a family, labels [B, 6]."""
    losses = [
        F.cross_entropy(logits.float().flatten(0, 1), labels[:, index].repeat_interleave(logits.shape[1]))
        for index, logits in enumerate(own)
    ]
    return torch.stack(losses).mean()


def learning_rate_share(step: int, steps: int, warmup: int) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then cosine to 2 per cent."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))


def train_vision(
    visual: Any, easy: Pictures, pictures: Pictures, settings: VisionSettings, seed: int, device: str, log: Log
) -> FamilyHeads:
    """Train the tower in place.

    Args:
        visual: the vision tower of the downstream model.
        easy: plain training pictures for the first steps.
        pictures: training pictures as they come for the rest; both epoch by epoch, mirrored half of the time.
        settings: length and step size.
        seed: of the heads and of the order.
        device: "cpu" or "cuda".
        log: called with progress lines.

    Returns:
        The heads, which only measurements need.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    heads = FamilyHeads(visual.config.hidden_size).to(device)
    parameters = [*visual.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.05)
    began = time.monotonic()
    epochs = _epochs(easy, settings.batch, generator)
    for step in range(settings.steps):
        if step == settings.easy_steps:
            epochs = _epochs(pictures, settings.batch, generator)
        batch = next(epochs)
        if torch.rand((), generator=generator) < 0.5:
            batch = flip(*batch)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_share(step, settings.steps, settings.warmup)
        patches, gold = to_patches(batch[0]).to(device), batch[1].to(device)
        dense_gold = merge_order(batch[2]).to(device)
        with torch.autocast(device, torch.bfloat16):
            families, dense, places, own = heads(run_tower(visual, patches))
        loss, losses = vision_loss(families, dense, gold, dense_gold)
        index = torch.arange(places.shape[1], device=device).repeat(len(places))
        loss = loss + 0.3 * F.cross_entropy(places.flatten(0, 1).float(), index)
        # Seeing comes first; then what was seen must reach every token.
        gathers = step >= settings.gather_from
        loss = (0.5 if gathers else 1.0) * loss + (2.0 if gathers else 1.0) * every_token_loss(own, gold)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if step % 100 == 0:
            listed = " ".join(f"{name} {value:.3f}" for name, value in zip(FAMILIES, losses.tolist(), strict=True))
            log(f"vision step {step} loss {loss.item():.3f} {listed} {time.monotonic() - began:.0f} s")
    return heads


@torch.no_grad()
def vision_accuracy(
    visual: Any, heads: FamilyHeads, pictures: Pictures, device: str, single: bool = False
) -> dict[str, float]:
    """Share of right values by family among all its values; `single` reads the first token alone."""
    right: list[Tensor] = []
    for start in range(0, len(pictures.pixels), 250):
        tokens = run_tower(visual, to_patches(pictures.pixels[start : start + 250]).to(device))
        families, _, _, own = heads(tokens)
        if single:
            families = [logits[:, 0] for logits in own]
        right.append(torch.stack([logits.argmax(-1) for logits in families], dim=1).cpu())
    labels = torch.from_numpy(pictures.labels)
    hits = (torch.cat(right) == labels).float()
    return {
        name: round(hits[labels[:, index] != UNDEFINED, index].mean().item(), 4) for index, name in enumerate(FAMILIES)
    }
