"""The code of the services, which commands share: a checkout and an image have it beside `trustvqa`, a wheel inside."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_BUNDLED = Path(__file__).parents[1] / "_service_code"


def make_importable(bundled: Path = _BUNDLED) -> None:
    """Have this process and those that it starts import `services` from a wheel's copy; without one, do nothing.

    A wheel does not install it under its own name, which is too common: another package may have it.

    Args:
        bundled: Directory that a wheel holds the package in.
    """
    if not bundled.is_dir() or str(bundled) in sys.path:
        return
    sys.path.insert(0, str(bundled))
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(bundled), *([inherited] if inherited else [])])
