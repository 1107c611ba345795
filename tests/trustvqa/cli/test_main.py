"""The list of commands: the same words as each command's own, at the cost of no command's packages."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trustvqa.cli.lazy_group import LazyCommand, lazy_app, missing_packages
from trustvqa.cli.main import COMMANDS, app

ROOT = Path(__file__).resolve().parents[3]
_PROBE = """
import json, sys
from trustvqa.cli.main import app
try:
    app(["--help"])
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_summary_is_the_first_line_of_the_command_s_help(name: str) -> None:
    command = COMMANDS[name].load(name)
    assert command.name == name
    first = " ".join(command.help.partition("\n\n")[0].split())
    assert first == COMMANDS[name].summary


def test_every_extra_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {command.extra for command in COMMANDS.values()} - {None} <= extras.keys()


def test_help_imports_no_package_of_any_command() -> None:
    done = subprocess.run([sys.executable, "-c", _PROBE], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert not {"numpy", "httpx", "pydantic", "stamina", "structlog", "rich", "services", "prompt4trust"} & loaded
    assert {name for name in loaded if name.startswith("trustvqa.cli.") and name.count(".") > 2} == set()
    assert all(f" {name} " in done.stdout for name in COMMANDS)
    shown = " ".join(done.stdout.split())
    assert all(command.summary in shown for command in COMMANDS.values())  # whole, not cut


def test_a_command_that_misses_its_extra_ends_with_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ["numpy", "surely-absent; extra == 'much'", 'pytest>=1; extra == "little"']
    monkeypatch.setattr("importlib.metadata.requires", lambda _: listed)
    assert [*missing_packages("much")] == ["surely-absent"]
    assert [*missing_packages("little")] == []
    program = lazy_app({"do": LazyCommand("os:nothing", "Do it.", "much"), "see": LazyCommand("os:getcwd", "See it.")})
    done = CliRunner().invoke(program, ["do"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "trustvqa do needs more packages: pip install 'trustvqa[much]'" in " ".join(done.stderr.split())
    assert CliRunner().invoke(program, ["see"]).exit_code == 0


def test_a_group_lists_its_commands_by_whole_first_paragraphs() -> None:
    done = CliRunner().invoke(app, ["runs", "--help"], env={"COLUMNS": "60"})
    assert "resume Put a run that failed or was cancelled into the queue again; it goes on from its last" in " ".join(
        done.stdout.split()
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device: make room where it writes"),
        (PermissionError(errno.EACCES, "Permission denied", "there/x.csv"), "there/x.csv: Permission denied"),
    ],
)
def test_a_disk_that_takes_no_more_ends_a_command_with_a_message(
    monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    def refuse() -> None:
        raise error

    monkeypatch.setattr("os.getcwd", refuse)
    program = lazy_app({"see": LazyCommand("os:getcwd", "See it."), "do": LazyCommand("os:abort", "Do it.")})
    done = CliRunner().invoke(program, ["see"])
    assert done.exit_code == 2
    assert done.stderr.startswith("error ")
    assert said in " ".join(done.stderr.split())


def test_a_misspelt_command_is_refused_with_the_one_that_was_meant() -> None:
    done = CliRunner().invoke(app, ["calibrat"])
    assert done.exit_code == 2
    assert "calibrate" in done.stderr
