"""The wheel: the names that it installs, and its command in an environment that has nothing but what it asks for."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.xdist_group("packaging")


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment with a folder to work in that is no checkout."""

    programs: Path
    work: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TRUSTVQA"))}
        command = [str(self.programs / program), *arguments]
        return subprocess.run(
            command, cwd=self.work, env={**outside, "COLUMNS": "300"}, capture_output=True, text=True, timeout=100
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel and what it always needs: links to the packages that the suite runs with, so that none is fetched."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "env", with_pip=False, symlinks=True)
    [site] = (folder / "env" / "lib").glob("*/site-packages")
    pip("--python", str(folder / "env"), "install", "--no-deps", "--no-index", str(wheel))
    for name in sorted(needed(Requirement("trustvqa"), wheel)):
        there = distribution(name)
        for top in {path.parts[0] for path in there.files or () if ".." not in path.parts}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(there.locate_file(top))))
    (folder / "work").mkdir()
    return Environment(folder / "env" / "bin", folder / "work")


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def needed(root: Requirement, wheel: Path) -> set[str]:
    """Names of all packages that a package needs, and those need, and so on."""
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = archive.read(metadata).decode().partition("\n\n")[0].splitlines()
    ours = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]

    def within(requirement: Requirement) -> Iterator[Requirement]:
        listed = ours if requirement.name == root.name else distribution(requirement.name).requires or []
        for each in map(Requirement, listed):
            extras = requirement.extras or {""}
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
                yield each

    found: set[str] = set()
    seen, waiting = {str(root)}, [root]
    while waiting:
        for each in within(waiting.pop()):
            found.add(each.name)
            if str(each) not in seen:
                seen.add(str(each))
                waiting.append(each)
    return found


def test_a_wheel_installs_two_packages_and_their_data_and_no_package_of_a_common_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.partition("/")[0] for name in names} == {"prompt4trust", "trustvqa", "trustvqa-0.1.0.dist-info"}
    inside = "trustvqa/_service_code/services"
    assert {
        "prompt4trust/py.typed",
        "prompt4trust/templates/guide-compact-1.json",
        "prompt4trust/estimators/fixed_prompt.json",
        f"{inside}/gateway/__main__.py",
        f"{inside}/gateway/static/page/main.js",
        f"{inside}/gateway/static/samples/ct.png",
    } <= names
    assert not {name for name in names if "tests" in Path(name).parts or name.endswith(".pyc")}


def test_all_that_the_wheel_asks_for_is_there(bare: Environment) -> None:
    pip("--python", str(bare.programs.parent), "check")
    done = bare.run("python", "-c", "import prompt4trust, trustvqa")
    assert done.returncode == 0, done.stderr
    assert "No module named 'services'" in bare.run("python", "-c", "import services").stderr


def test_the_command_runs_and_lists_what_it_can_do(bare: Environment) -> None:
    shown = bare.run("trustvqa", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    for command in ("up", "ask", "evaluate", "calibrate", "train", "keys"):
        assert f" {command} " in shown.stdout


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["train"], "train"),
        (["up"], "engine"),
        (["keys", "list"], "serve"),
        (["backup", "--out", "b.tar"], "serve"),
    ],
)
def test_a_command_names_the_extra_that_it_misses(bare: Environment, command: list[str], extra: str) -> None:
    done = bare.run("trustvqa", *command)
    assert done.returncode == 2
    assert done.stderr == (
        f"error trustvqa {command[0]} needs more packages: pip install 'trustvqa[{extra}]' (in a checkout: make dev)\n"
    )


def test_every_other_command_needs_no_extra(bare: Environment) -> None:
    program = (
        "from trustvqa.cli.main import COMMANDS\n"
        "print(*(name for name, command in COMMANDS.items() if command.extra is None and command.load(name)))"
    )
    done = bare.run("python", "-c", program)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout.strip()
        == "ask batch feedback phantoms evaluate calibrate report guard reference runs policies records"
    )
    made = bare.run("trustvqa", "phantoms", "--out", "questions", "--n", "2")
    assert made.returncode == 0, made.stderr
    picture = str(ROOT / "services" / "gateway" / "static" / "samples" / "mri.png")
    shown = bare.run("trustvqa", "ask", picture, "What?", "--gateway", "http://127.0.0.1:9", "--patience", "0")
    assert shown.returncode == 1
    assert "cannot be reached" in shown.stderr


def test_services_are_started_from_what_the_wheel_holds(bare: Environment) -> None:
    """A child process finds their code as the command does; it lacks packages here, and says so by itself."""
    program = (
        "import subprocess, sys, trustvqa.cli\n"
        "subprocess.run([sys.executable, '-c', 'import services.common as found; print(found.__file__)'], check=True)"
    )
    done = bare.run("python", "-c", program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("site-packages/trustvqa/_service_code/services/common/__init__.py")
