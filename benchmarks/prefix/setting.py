"""The servers that take turns, the questions that they are asked, and a picture as long as full-size models read it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.engine.servers import Contender, vllm
from benchmarks.phantoms import draw
from benchmarks.prefix.loads import Asked
from prompt4trust.questions import letter_options

FULL_SIZE_PIXELS = 28 * 28 * 1280
"""Qwen2-VL reads 28 x 28 pixels as a token, and by default no more than 1280 of them of a picture."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Prompts of one length, and the servers that are asked them.

    Attributes:
        name: What the tables call it.
        block: Tokens of a cache block, for both servers.
        servers: With the cache, then without it.
        questions: Questions in a turn.
        together: How many of them at once.
    """

    name: str
    block: int
    servers: tuple[Contender, Contender]
    questions: int
    together: int


def as_shipped(program: str, model: Path, threads: int) -> Setting:
    """Take the miniature with its own pictures, of 16 tokens; blocks as small as vLLM has them on CPUs.

    In the 128 tokens of its default blocks no prompt of the miniature would have room to share anything.
    """
    return Setting("prompts of the miniature", 32, _pair(program, model, threads, 32, "miniature"), 16, 4)


def full_size(program: str, model: Path, threads: int, place: Path) -> Setting:
    """Take the same weights with pictures of 1280 tokens; blocks as vLLM has them by default on CPUs."""
    longer = _with_larger_pictures(model, place)
    return Setting("prompts of full length", 128, _pair(program, longer, threads, 128, "full length"), 4, 2)


def _pair(program: str, model: Path, threads: int, block: int, name: str) -> tuple[Contender, Contender]:
    def server(flag: str, way: str) -> Contender:
        made = vllm(program, model, 32, threads)
        # The last of two flags counts. Prompts are read whole: vLLM 0.32 on a CPU dies of one with a seed in parts.
        more = ["--max-model-len", "2048", "--kv-cache-memory-bytes", str(512 << 20), "--block-size", str(block), flag]
        more += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096"]
        return replace(made, name=f"{name} {way}", argv=[*made.argv, *more])

    return server("--enable-prefix-caching", "cache"), server("--no-enable-prefix-caching", "no cache")


def _with_larger_pictures(model: Path, place: Path) -> Path:
    """Make a model directory that differs in one thing: how large pictures are made before they are read."""
    place.mkdir(parents=True, exist_ok=True)
    for file in model.iterdir():
        link = place / file.name
        link.unlink(missing_ok=True)
        link.symlink_to(file.resolve())
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        config = json.loads((model / name).read_text(encoding="utf-8"))
        config["size"] = {"shortest_edge": FULL_SIZE_PIXELS, "longest_edge": FULL_SIZE_PIXELS}
        config["min_pixels"] = config["max_pixels"] = FULL_SIZE_PIXELS
        (place / name).unlink()
        (place / name).write_text(json.dumps(config), encoding="utf-8")
    return place


def questions(count: int, seed: int) -> list[Asked]:
    """Draw questions that no server has seen; another seed, other pictures."""
    return [
        Asked(1000 * seed + number, each.text, letter_options(each.options), each.data_url)
        for number, each in enumerate(draw(count, seed))
    ]
