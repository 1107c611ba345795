"""Prints what an image installs, one requirement a line: python requirements.py pyproject.toml gateway.

Needs nothing but Python, since it runs before anything is installed. The versions are those of constraints.txt
(of trainer-gpu: constraints-gpu-trainer.txt).
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

EXTRAS = {
    "gateway": ("serve", "hospital", "postgres"),
    "engine": ("engine", "hospital", "postgres"),
    "trainer": ("train", "hospital", "postgres", "kubernetes"),
    "trainer-gpu": ("train-gpu", "hospital", "postgres", "kubernetes"),
}
# The gateway applies calibrators and never fits one: these, and the pandas that they bring, are a third of its image.
FITTING = frozenset({"scikit-learn", "threadpoolctl", "venn-abers"})


def requirements(pyproject: Path, image: str) -> list[str]:
    """Collect what an image needs of the package index.

    Args:
        pyproject: The project's pyproject.toml.
        image: One of EXTRAS.

    Returns:
        Requirements as they stand there, sorted, each once.

    Raises:
        KeyError: If there is no such image, or the project lacks one of its extras.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]

    def spelt_out(listed: Iterable[str]) -> Iterator[str]:
        for each in listed:
            nested = re.fullmatch(rf"{project['name']}\[(.+)\]", each)
            yield from spelt_out(extras[nested[1]]) if nested else (each,)

    wanted = {*spelt_out(f"{project['name']}[{extra}]" for extra in EXTRAS[image]), *project["dependencies"]}
    return sorted(wanted - FITTING if image == "gateway" else wanted)


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(Path(sys.argv[1]), sys.argv[2])) + "\n")
