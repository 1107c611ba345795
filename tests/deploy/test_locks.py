"""Locks agree with the constraints and with what images ask for, and hold nothing but versions and hashes."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deploy.lock import CPU, LAYERS, LOCKS, TOOLS, VARIANTS, Pin, locked, normal, read, write
from deploy.requirements import requirements
from tests.deploy import compose
from tests.deploy.faults import ROOT, stages

PYPROJECT = ROOT / "pyproject.toml"
# The images' Python, on the machines that they are built for.
IMAGE = {"python_version": "3.11", "python_full_version": "3.11.9", "sys_platform": "linux", "os_name": "posix",
         "platform_system": "Linux", "platform_machine": "x86_64", "implementation_name": "cpython",
         "platform_python_implementation": "CPython"}  # fmt: skip


def constraints(variant: str) -> dict[str, str]:
    return {name: pin.version for name, pin in read(ROOT / VARIANTS[variant][0]).items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_version_is_the_constraints_and_every_package_has_hashes(variant: str) -> None:
    pins, wanted = locked(variant), constraints(variant)
    # The constraints are of an environment without CUDA.
    cuda = set(read(LOCKS / variant / "cuda.txt")) if variant == "stack" else set()
    assert {name: pin.version for name, pin in pins.items() if name not in cuda} == {
        name: wanted.get(name) for name in pins.keys() - cuda
    }
    assert not cuda & wanted.keys()
    assert all(pin.hashes for pin in pins.values())


@pytest.mark.parametrize(("variant", "image"), [("stack", "trainer"), ("gpu-trainer", "trainer-gpu")])
def test_images_are_asked_for_nothing_that_their_locks_lack(variant: str, image: str) -> None:
    layers = {layer: set(read(LOCKS / variant / f"{layer}.txt")) for layer in LAYERS}
    names = [name for layer in layers.values() for name in layer]
    assert len(names) == len(set(names)), "a layer has again what one below it has"
    asked = {
        each: {normal(Requirement(line).name) for line in requirements(PYPROJECT, each)}
        for each in ("gateway", "engine", image)
    }
    assert asked["gateway"] <= layers["gateway"]
    assert asked["engine"] <= layers["gateway"] | layers["torch"] | layers["engine"]
    assert asked[image] <= set(names)


def test_what_packages_need_is_in_their_layer_or_below() -> None:
    """By the metadata of what is installed here, which is what the stack's images install."""
    below: set[str] = set()
    missing: list[str] = []
    for layer in LAYERS:
        below |= {*read(LOCKS / "stack" / f"{layer}.txt")}
        if layer == "torch":
            continue  # what it needs comes with the next one
        for name in sorted(below):
            try:
                needed = [Requirement(line) for line in requires(name) or ()]
            except PackageNotFoundError:
                continue  # CUDA's
            for each in needed:
                is_needed = each.marker is None or each.marker.evaluate({**IMAGE, "extra": ""})
                if is_needed and normal(each.name) not in below:
                    missing.append(f"{layer}: {name} needs {each.name}")
    assert missing == []
    assert len(below) > 100


def test_torch_is_one_version_and_its_cpu_build_is_no_gpu_trainers() -> None:
    torch = {variant: locked(variant)["torch"] for variant in VARIANTS}
    cpu = read(LOCKS / "stack" / f"{CPU}.txt")["torch"]
    assert cpu.version == f"{torch['stack'].version}+cpu" == f"{torch['gpu-trainer'].version}+cpu"
    assert not (LOCKS / "gpu-trainer" / f"{CPU}.txt").exists()
    assert not cpu.hashes & (torch["stack"].hashes | torch["gpu-trainer"].hashes)


def test_tools_are_locked_too() -> None:
    wanted = constraints("stack")
    for name, packages in TOOLS.items():
        pins = read(LOCKS / f"{name}.txt")
        assert set(packages) <= pins.keys()
        assert {each: pin.version for each, pin in pins.items()} == {each: wanted[each] for each in pins}
        assert all(pin.hashes for pin in pins.values())


def test_locks_name_no_index_and_no_file_of_a_machine() -> None:
    for path in LOCKS.rglob("*"):
        if path.is_file():
            lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
            strange = [
                line
                for line in lines
                if not re.fullmatch(r"[a-z0-9-]+==[\w.+!-]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line)
            ]
            assert strange == [], path


def test_every_installation_of_the_images_checks_hashes() -> None:
    """But that of the project itself, which comes from the context."""
    runs = [line for stage in stages().values() for line in stage.get("RUN", []) if "pip install" in line]
    assert len(runs) >= 7
    for run in runs:
        install = run[run.index("pip install") :]
        assert "--no-deps" in install
        assert "--require-hashes" in install or install.rstrip().count("--target /files /source") == 1, run


def test_the_gpu_trainer_is_built_by_its_own_lock() -> None:
    trainer = compose.read(ROOT / "docker-compose.yml", ROOT / "compose.gpu.yml")["services"]["trainer"]
    arguments = trainer["build"]["args"]
    assert (arguments["LOCKS"], arguments["TORCH_INDEX"]) == ("gpu-trainer", "")
    told = {
        stage: {each.partition("=")[0] for each in stages()[stage]["ARG"]} for stage in ("serve", "engine", "train")
    }
    assert all("LOCKS" in names for names in told.values())


def test_a_file_of_another_content_is_not_installed(tmp_path: Path) -> None:
    """pip's own check, offline: a wheel that is not the locked one, and then the same once the lock names it."""
    wheels, lock = tmp_path / "wheels", tmp_path / "lock.txt"
    wheels.mkdir()
    wheel = wheels / "exchanged-1.0-py3-none-any.whl"
    build_wheel(wheel)
    write(lock, {"exchanged": Pin("exchanged", "1.0", {"sha256:" + "0" * 64})}, "Of a test.")
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--no-index"),
        *("--find-links", str(wheels), "--target", str(tmp_path / "site"), "--requirement", str(lock)),
    ]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0
    assert "DO NOT MATCH" in refused.stderr
    assert not (tmp_path / "site" / "exchanged.py").exists()
    got = re.search(r"Got\s+([0-9a-f]{64})", refused.stderr)
    assert got is not None
    write(lock, {"exchanged": Pin("exchanged", "1.0", {f"sha256:{got[1]}"})}, "Of a test.")
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    assert (tmp_path / "site" / "exchanged.py").exists()


def build_wheel(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("exchanged.py", "")
        wheel.writestr("exchanged-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: exchanged\nVersion: 1.0\n")
        wheel.writestr(
            "exchanged-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("exchanged-1.0.dist-info/RECORD", "")


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    pins = {"a": Pin("a", "1.0+cpu", ["sha256:" + "1" * 64, "sha256:" + "0" * 64]), "b-c": Pin("b-c", "2", [])}
    write(tmp_path / "lock.txt", pins, "Of a test.")
    found = read(tmp_path / "lock.txt")
    assert {name: (pin.version, pin.hashes) for name, pin in found.items()} == {
        name: (pin.version, pin.hashes) for name, pin in pins.items()
    }


@pytest.mark.parametrize("line", ["numpy>=2", "numpy==2 ; python_version < '3.12'", "./numpy.whl", "-r other.txt"])
def test_a_line_that_pins_no_one_version_is_an_error(line: str, tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text(f"# A comment.\n{line}\n")
    with pytest.raises(ValueError, match=r"lock\.txt pins no one version"):
        read(tmp_path / "lock.txt")
