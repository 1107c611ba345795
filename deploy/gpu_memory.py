"""A model's share of a GPU's memory: python -m deploy.gpu_memory MODEL (a directory with config.json, or the file).

Arithmetic alone: no GPU is asked. What an engine takes besides weights and cache (activations, CUDA's own, captured
graphs) is an assumption, `overhead_gib`; vLLM measures it when it starts, and prints what is left as "GPU KV cache
size".
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIB = 1 << 30
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True)
class Model:
    """The sizes of a model that count.

    Attributes:
        parameters: How many, the picture's tower included; tied ones once.
        layers: Of the language model.
        kv_heads: Heads that keys and values are kept of.
        head: Numbers in a head.
        patch: Pixels on a side of the square that becomes a token of the picture; 0 for models without pictures.
    """

    parameters: int
    layers: int
    kv_heads: int
    head: int
    patch: int

    def weights_bytes(self, dtype: str) -> int:
        """Bytes of the weights."""
        return self.parameters * BYTES[dtype]

    def token_bytes(self, dtype: str) -> int:
        """Bytes that a token takes in the cache: a key and a value for each head of each layer."""
        return 2 * self.layers * self.kv_heads * self.head * BYTES[dtype]

    def picture_tokens(self, side: int) -> int:
        """Most tokens of a picture that has at most so many pixels on a side.

        Qwen2-VL brings both sides to the nearest multiple of a token's square (Wang et al. 2024, arXiv 2409.12191).
        """
        return max(round(side / self.patch), 1) ** 2 if self.patch else 0


@dataclass(frozen=True, slots=True)
class Fit:
    """Contents of a share of a GPU.

    Attributes:
        cache_bytes: Left for the cache.
        tokens: That fit there.
        requests: Of so many tokens each that fit at once.
    """

    cache_bytes: int
    tokens: int
    requests: int


def read_model(path: Path) -> Model:
    """Read a model's configuration; its parameters are counted on a copy without content.

    Args:
        path: A directory in Hugging Face layout, or a config.json.

    Raises:
        OSError: If there is no such file.
        ValueError: If transformers does not know the architecture.
    """
    # Here: the arithmetic itself needs neither.
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    given: dict[str, Any] = json.loads((path / "config.json" if path.is_dir() else path).read_text(encoding="utf-8"))
    config = AutoConfig.for_model(**given)
    text = config.get_text_config()
    vision = getattr(config, "vision_config", None)
    kind: Any = AutoModelForCausalLM if vision is None else AutoModelForImageTextToText
    with torch.device("meta"):
        model = kind.from_config(config)
    model.tie_weights()
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    patch = vision.patch_size * vision.spatial_merge_size if vision is not None else 0
    counted = sum(each.numel() for each in model.parameters())
    return Model(counted, text.num_hidden_layers, text.num_key_value_heads, head, patch)


def fit(model: Model, *, memory_gib: float, share: float, overhead_gib: float, tokens: int, dtype: str) -> Fit:
    """Work out how many requests a share of a GPU holds at once.

    Args:
        model: The model.
        memory_gib: Of the GPU, in GiB.
        share: That the engine may take (--gpu-memory-utilization).
        overhead_gib: What it takes besides weights and cache, in GiB.
        tokens: Of a request, from its prompt's first to its reply's last.
        dtype: Of weights and cache.
    """
    left = math.floor((memory_gib * share - overhead_gib) * GIB) - model.weights_bytes(dtype)
    held = max(left, 0) // model.token_bytes(dtype)
    return Fit(max(left, 0), held, held // tokens)


def main(arguments: list[str]) -> int:
    """Print the arithmetic."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("--memory-gib", type=float, default=24.0, help="of the GPU (24)")
    parser.add_argument("--share", type=float, default=0.9, help="that the engine may take (0.9)")
    parser.add_argument("--overhead-gib", type=float, default=2.0, help="besides weights and cache: an assumption (2)")
    parser.add_argument("--side", type=int, default=1024, help="most pixels on a picture's side (1024, the gateway's)")
    parser.add_argument("--text", type=int, default=1600, help="tokens of question, guidance and reply (1600)")
    parser.add_argument("--dtype", choices=sorted(BYTES), default="bfloat16")
    given = parser.parse_args(arguments)
    model = read_model(given.model)
    picture = model.picture_tokens(given.side)
    tokens = picture + given.text
    found = fit(
        model,
        memory_gib=given.memory_gib,
        share=given.share,
        overhead_gib=given.overhead_gib,
        tokens=tokens,
        dtype=given.dtype,
    )
    size = BYTES[given.dtype]
    lines = (
        f"weights   {model.parameters:,} x {size} bytes = {model.weights_bytes(given.dtype) / GIB:.2f} GiB",
        f"a token   2 x {model.layers} layers x {model.kv_heads} heads x {model.head} x {size} bytes = "
        f"{model.token_bytes(given.dtype) / 1024:.1f} KiB",
        f"a request {picture} tokens of picture + {given.text} of text = {tokens} tokens = "
        f"{tokens * model.token_bytes(given.dtype) / GIB:.3f} GiB",
        f"the cache {given.memory_gib:g} GiB x {given.share:g} - weights - {given.overhead_gib:g} GiB (assumed) = "
        f"{found.cache_bytes / GIB:.2f} GiB = {found.tokens:,} tokens",
        f"at once   {found.tokens:,} / {tokens} = {found.requests} requests",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if found.requests else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
