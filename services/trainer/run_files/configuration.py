"""The config.json of a run: its name, and how what is wrong with it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from services.trainer.errors import RunError

CONFIG = "config.json"


@contextmanager
def reading_configuration(folder: Path) -> Iterator[Path]:
    """Give the path of a run's config.json for a block that reads it.

    Raises:
        RunError: If the folder holds no run, or the block finds that the file cannot be read.
    """
    path = folder / CONFIG
    try:
        yield path
    except OSError as error:
        raise RunError(f"{folder} holds no run ({error.strerror or error})") from error
    except ValidationError as error:
        raise RunError(f"{path} cannot be read: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise RunError(f"{path} cannot be read: {error}") from error
