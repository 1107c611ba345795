"""Names of signals that say how near a question lies to known ones: each names the reference inputs that it is by."""

from __future__ import annotations

import re
from typing import Final

PREFIX: Final = "typicality:"
"""Begins the name of every such signal; what follows is the beginning of a digest of the reference inputs."""
_DIGITS: Final = 16
_NAME: Final = re.compile(rf"{PREFIX}[0-9a-f]{{{_DIGITS}}}")


def typicality_signal(digest: str) -> str:
    """Name the signal of distances to reference inputs.

    A distance to other inputs is another quantity. So the inputs are part of the name: a calibrator that was fitted on
    one is never given the other, in a run, a record or a fit on feedback.

    Args:
        digest: SHA-256 of what the distances depend on, as "sha256:...".

    Returns:
        The name, whose values lie in (0, 1]: the conformal p-value of the question among the reference inputs, near 0
        for what is farther away than all of them.

    Raises:
        ValueError: If it is no such digest.

    Example:
        >>> typicality_signal("sha256:" + "0123456789abcdef" * 4)
        'typicality:0123456789abcdef'
    """
    kind, _, digits = digest.partition(":")
    if kind != "sha256" or re.fullmatch(r"[0-9a-f]{64}", digits) is None:
        raise ValueError(f"a digest is sha256: and 64 hexadecimal digits, not {digest!r}")
    return PREFIX + digits[:_DIGITS]


def is_typicality(signal: str) -> bool:
    """Whether a signal's name is one of these.

    Example:
        >>> is_typicality("typicality:0123456789abcdef"), is_typicality("stated_typicality")
        (True, False)
    """
    return _NAME.fullmatch(signal) is not None
