"""Random numbers that depend on what is drawn and on nothing else.

Number j of step t of sample i under seed s is a hash of (s, i, t, j): no state to advance, so a sample's draws are the
same whatever else is in the batch. The hash is SplitMix64's finaliser (Steele, Lea and Flood, 2014), applied once for
each of the four.
"""

from __future__ import annotations

import torch

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * _FIRST) & _MASK
    value = ((value ^ (value >> 27)) * _SECOND) & _MASK
    return value ^ (value >> 31)


def sample_key(seed: int, index: int) -> int:
    """Derive a sample's key.

    Args:
        seed: The request's seed, any integer; taken modulo 2**64.
        index: The sample's place among the request's n.

    Returns:
        A signed 64-bit integer.
    """
    return _signed(_mix(_mix((seed + _GOLDEN) & _MASK) + (index + 1) * _GOLDEN & _MASK))


def _shifted(values: torch.Tensor, bits: int) -> torch.Tensor:
    # torch shifts signed integers arithmetically; the mask makes it a logical shift.
    return (values >> bits) & ((1 << (64 - bits)) - 1)


def _mix_tensor(values: torch.Tensor) -> torch.Tensor:
    values = (values ^ _shifted(values, 30)) * _signed(_FIRST)
    values = (values ^ _shifted(values, 27)) * _signed(_SECOND)
    return values ^ _shifted(values, 31)


def uniforms(keys: torch.Tensor, steps: torch.Tensor, count: int) -> torch.Tensor:
    """Draw numbers from the open interval (0, 1).

    Args:
        keys: Samples' keys, int64 [batch].
        steps: Each sample's step, int64 [batch].
        count: Numbers for each sample.

    Returns:
        float64 [batch, count] with 52 random bits each; neither 0 nor 1 occurs.
    """
    golden = _signed(_GOLDEN)
    rows = _mix_tensor(keys + (steps + 1) * golden)
    columns = torch.arange(1, count + 1, dtype=torch.int64, device=keys.device) * golden
    bits = _shifted(_mix_tensor(rows[:, None] + columns[None, :]), 12)
    return (bits.to(torch.float64) + 0.5) * 2.0**-52
