"""Figures from turns: a table to read and a document to keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median, stdev
from typing import Any

from rich.console import Console
from rich.table import Table
from scipy.stats import t

from benchmarks.prefix.loads import Turn

Rounds = Mapping[str, Sequence[tuple[Turn, Turn]]]
"""For each load, its rounds: (with the cache, without it)."""


def figures(rounds: Rounds, questions: int) -> dict[str, Any]:
    """Sum up the rounds of every load.

    Args:
        rounds: What was measured.
        questions: Questions in a turn.

    Returns:
        For each load: tokens of the prompts of one question, the share of them that came from the cache, seconds with
        and without it by the clock and of the processor (medians), and how many times less time it took with the cache,
        with a 95 % interval.
    """
    return {name: _figures(turns, questions) for name, turns in rounds.items()}


def _figures(turns: Sequence[tuple[Turn, Turn]], questions: int) -> dict[str, Any]:
    cached, plain = [turn for turn, _ in turns], [turn for _, turn in turns]
    prompt_tokens = sum(turn.prompt_tokens for turn in cached)
    return {
        "prompt_tokens_a_question": prompt_tokens / len(turns) / questions,
        "hit_rate": sum(turn.cached_tokens for turn in cached) / prompt_tokens,
        "hit_rate_without": sum(turn.cached_tokens for turn in plain)
        / max(1, sum(turn.prompt_tokens for turn in plain)),
        "seconds": median(turn.seconds for turn in cached),
        "seconds_without": median(turn.seconds for turn in plain),
        "busy_s": median(turn.busy_s for turn in cached),
        "busy_s_without": median(turn.busy_s for turn in plain),
        "times_less": ratio([without.seconds / having.seconds for having, without in turns]),
        "times_less_busy": ratio([without.busy_s / having.busy_s for having, without in turns]),
    }


def ratio(rounds: Sequence[float]) -> dict[str, Any]:
    """Average ratios over rounds.

    Args:
        rounds: One ratio a round, at least two of them.

    Returns:
        Their geometric mean, its 95 % interval (Student's t on the logarithms), and the ratios.
    """
    logs = [math.log(each) for each in rounds]
    mean = fmean(logs)
    half = float(t.ppf(0.975, len(logs) - 1)) * stdev(logs) / math.sqrt(len(logs))
    return {"mean": math.exp(mean), "low": math.exp(mean - half), "high": math.exp(mean + half), "rounds": list(rounds)}


def show(result: Mapping[str, Any], console: Console) -> None:
    """Print a table for each setting."""
    for name, setting in result["settings"].items():
        table = Table(title=f"{name}: {setting['questions']} questions a turn, blocks of {setting['block']} tokens")
        columns = ("load", "prompt tokens", "from the cache", "times less time (95 %)", "times less processor (95 %)")
        for column in columns:
            table.add_column(column, justify="left" if column == "load" else "right")
        for load, found in setting["loads"].items():
            table.add_row(
                load,
                f"{found['prompt_tokens_a_question']:.0f}",
                f"{100 * found['hit_rate']:.1f} %",
                _written(found["times_less"]),
                _written(found["times_less_busy"]),
            )
        console.print(table)


def _written(ratio: Mapping[str, float]) -> str:
    return f"{ratio['mean']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
