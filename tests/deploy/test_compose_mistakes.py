"""A slip of the pen anywhere in the compose files is noticed: every key and every word of them is misspelt in turn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from typing import Any

import pytest

from tests.deploy.compose import read
from tests.deploy.faults import ROOT, faults
from tests.deploy.test_compose import ARCHIVE, STACKS

Way = tuple[str | int, ...]

# What may be called anything, so that no slip can be told from a choice: tags of images, arguments of builds, folders
# and files of the project's own that nobody else names, and words for people.
FREE = re.compile(
    r"name|services/[\w-]+/image|services/[\w-]+/build/args/\w+"
    r"|services/\w+/environment/(TRUSTVQA_KEYS_HOW|TRUSTVQA_TRAINER_(RUNS|DATA)|HF_TOKEN_PATH|POSTGRES_PASSWORD_FILE)"
    r"|services/[\w-]+/environment/(VLLM_CACHE_ROOT|TORCHINDUCTOR_CACHE_DIR|TRITON_CACHE_DIR)"
    # The policy before it was trained, whatever it is; the keys of a service in whose place vLLM is started; no host.
    r"|services/models/command/1|services/downstream/environment/TRUSTVQA_DOWNSTREAM_API_KEYS"
    r"|services/downstream/command/13"
)


def misspelt(word: str) -> str:
    """Change the places of the last two neighbours that differ, or add a letter."""
    for index in range(len(word) - 2, 0, -1):
        if word[index] != word[index + 1] and word[index : index + 2].isalpha():
            return word[:index] + word[index + 1] + word[index] + word[index + 2 :]
    return f"{word}x"


def slips(found: Any, way: Way = ()) -> Iterator[tuple[bool, Way]]:
    """Yield the ways to all keys and to all words: (whether it is a key, the way)."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield True, (*way, key)
            yield from slips(value, (*way, key))
    elif isinstance(found, list):
        for index, value in enumerate(found):
            yield from slips(value, (*way, index))
    elif isinstance(found, str):
        yield False, way


def slipped(sound: dict[str, Any], is_key: bool, way: Way) -> dict[str, Any]:
    """Misspell one thing in what compose files say, and share what lies beside the way to it instead of copying it."""
    made = dict(sound)
    place: Any = made
    for step in way[:-1]:
        place[step] = copy(place[step])
        place = place[step]
    if is_key:
        place[misspelt(str(way[-1]))] = place.pop(way[-1])
    else:
        place[way[-1]] = misspelt(place[way[-1]])
    return made


@pytest.mark.parametrize("name", STACKS)
def test_every_slip_is_noticed(name: str) -> None:
    sound = read(*STACKS[name])
    assert faults(sound) == []
    planted = [(is_key, way) for is_key, way in slips(sound) if is_key or not FREE.fullmatch("/".join(map(str, way)))]
    assert len(planted) > 500
    # Of what only a profile starts, and nobody refers to, the name is free.
    planted.remove((True, ("services", "grafana")))
    missed = [way for is_key, way in planted if not faults(slipped(sound, is_key, way))]
    assert missed == []


def test_the_stacks_are_those_of_the_project() -> None:
    assert {path.relative_to(ROOT).as_posix() for files in (*STACKS.values(), ARCHIVE) for path in files} == {
        path.name for path in ROOT.glob("*compose*.yml")
    }
