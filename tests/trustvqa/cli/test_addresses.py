"""Texts that are taken for addresses, and the words for those that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trustvqa.cli.commands import run_command

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
