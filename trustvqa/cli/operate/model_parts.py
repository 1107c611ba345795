"""Pretrained parts of the models that `trustvqa up` is about to start, made ready where the person can see it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from services.common.engine.parts.__main__ import make_ready
from services.common.engine.parts.store import PartStore
from services.common.startup import read_settings
from services.downstream.settings import DownstreamSettings


def make_parts_ready(report: Callable[[str], object]) -> None:
    """Make ready what the downstream model names, as its configuration and the environment have it.

    The services would do so themselves, in a log that nobody looks at for the minute that it takes.

    Args:
        report: Takes lines for the person at the terminal.

    Raises:
        EngineError: If a package is missing, or holds another file.
        OSError: If the cache cannot be written.
    """
    settings = read_settings(DownstreamSettings)
    if settings.engine == "transformers":
        make_ready([Path(settings.model_path)], PartStore(settings.parts_directory, report))
