"""`python -m services.common.engine.parts DIRECTORY MODEL...`: make ready what models name, once for an image."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from services.common.engine.errors import EngineError
from services.common.engine.parts.named_part import NamedPart, parts_of
from services.common.engine.parts.store import PartStore, Report


def named_parts(models: Sequence[Path]) -> list[NamedPart]:
    """List the parts that models' config.json files name, each once.

    Args:
        models: The models' directories; where one has no config.json, nothing is named.

    Raises:
        EngineError: If a file cannot be read, or names a part as it should not.
    """
    found: dict[str, NamedPart] = {}
    for file in (model / "config.json" for model in models):
        if file.is_file():
            try:
                config = json.loads(file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise EngineError(f"{file} is no JSON: {error}") from None
            found |= {part.folder: part for part in parts_of(config if isinstance(config, dict) else {}).values()}
    return list(found.values())


def make_ready(models: Sequence[Path], store: PartStore) -> None:
    """Make all parts ready that models name; raises what `PartStore.directory` raises."""
    for part in named_parts(models):
        store.directory(part)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str], report: Report = _say) -> None:
    """Make ready, in a directory, what the models behind it name."""
    if len(arguments) < 2:
        raise SystemExit("usage: python -m services.common.engine.parts DIRECTORY MODEL...")
    try:
        make_ready([Path(each) for each in arguments[1:]], PartStore(Path(arguments[0]), report))
    except EngineError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
