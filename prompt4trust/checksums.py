"""Checksums of JSON objects: a bit that flipped on a disk leaves JSON that reads well and says something else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

CHECKSUM: Final = "checksum"
"""The member that holds it, the last one of the object."""


def checksum_of(content: Mapping[str, Any]) -> str:
    """Compute an object's checksum: the same however it is laid out, and whichever member comes first.

    Example:
        >>> checksum_of({"a": 1, "b": [0.5]}) == checksum_of({"b": [0.5], "a": 1})
        True
        >>> checksum_of({"a": 1})[:12]
        'sha256:015ab'
    """
    rest = {name: value for name, value in content.items() if name != CHECKSUM}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def checked(content: bytes | str) -> Any:
    """Read JSON, and check it where it is an object with a checksum; one without, written by hand, is taken as it is.

    Returns:
        The value, without the checksum.

    Raises:
        ValueError: If it is not JSON, or is not what it was when its checksum was computed.

    Example:
        >>> checked('{"a": 1}')
        {'a': 1}
        >>> checked('{"a": 2, "checksum": "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"}')
        Traceback (most recent call last):
        ...
        ValueError: it was changed since it was written: its checksum does not fit (who changes it removes that line)
    """
    try:
        loaded = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(loaded, dict) or CHECKSUM not in loaded:
        return loaded
    if loaded.pop(CHECKSUM) != checksum_of(loaded):
        raise ValueError(
            "it was changed since it was written: its checksum does not fit (who changes it removes that line)"
        )
    return loaded
