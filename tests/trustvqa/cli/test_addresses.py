"""Texts that are taken for addresses, and the words for those that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trustvqa.cli.commands import run_command
from trustvqa.cli.main import COMMANDS as ALL

COMMANDS = {
    "ask": (["ask", "{picture}", "Which?"], "--gateway"),
    "feedback": (["feedback", "1", "--right", "B"], "--gateway"),
    "send": (["send", "1"], "--to"),
    "listen": (["listen", "rules.yaml"], "--pacs"),
    "calibrate": (["calibrate", "--from-feedback"], "--gateway"),
    "policies": (["policies"], "--policy"),
    "runs": (["runs", "list"], "--trainer"),
    "evaluate": (["evaluate", "--data", "x.csv"], "--downstream-url"),
    "train": (["train"], "--downstream-url"),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    "address", ["localhost:8080", "ftp://ward.example", "http://", "http://h:port", "http://a b:80"]
)
def test_an_address_without_a_scheme_or_host_is_refused_before_anything_is_asked(
    tmp_path: Path, name: str, address: str
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG pixels")
    arguments, option = COMMANDS[name]
    told = [each.format(picture=picture) for each in arguments]
    out, error = run_command(tmp_path, *told, option, address, status=2)
    assert out == ""
    assert ("http://localhost:8080 is perhaps meant" if "//" not in address else "is no address") in " ".join(
        error.replace("│", " ").split()
    )


def test_every_command_that_asks_a_gateway_names_it_by_the_same_two_words() -> None:
    named = {}
    for name, lazy in ALL.items():
        command = lazy.load(name)
        for each in getattr(command, "commands", {"": command}).values():
            for option in each.params:
                if "--gateway" in option.opts:
                    named[f"{name} {each.name}" if each is not command else name] = option.opts
    assert named.keys() == {"ask", "batch", "feedback", "send", "listen", "calibrate", "records erase", "doctor"}
    assert all(words == ["--gateway", "--url"] for words in named.values())
