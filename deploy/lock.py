"""Locks: every file that an image may install, by its SHA-256; `python -m deploy.lock` writes deploy/locks anew.

The versions are those of the constraints; uv adds the packages that these leave to torch, and asks the package index
for the hashes. Images lie on top of each other, so that each file names what its layer adds::

    stack/ and gpu-trainer/      by constraints.txt, and by constraints-gpu-trainer.txt
        gateway.txt              what all images have
        torch.txt                torch as the default index has it
        torch-cpu.txt            in its place, the build without CUDA that PyTorch's own index has; in stack/ alone
        engine.txt               what torch and the models need besides
        cuda.txt                 NVIDIA's libraries: for builds of torch that ask for them
        trainer.txt              what the trainer adds
    tools.txt, build.txt         what installs, and what builds: no image holds them

Not everybody reaches PyTorch's index. Builds for the CPU come from a wheel in wheels/, from where TORCH_INDEX leads,
and from the lock as it is, where torch's version has stayed the same.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from deploy.requirements import requirements

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "deploy" / "locks"
VARIANTS: Mapping[str, tuple[str, str]] = {
    "stack": ("constraints.txt", "trainer"),
    "gpu-trainer": ("constraints-gpu-trainer.txt", "trainer-gpu"),
}
"""Folder of locks -> its constraints, and the requirements of its trainer."""

LAYERS = ("gateway", "torch", "engine", "cuda", "trainer")
CPU = "torch-cpu"
TOOLS = {"tools": ("uv",), "build": ("hatchling", "setuptools")}
# What only torch's builds with CUDA ask for.
_CUDA = re.compile(r"(nvidia-.+|cuda-.+|triton)")
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)(?P<marker>\s*;[^\\]*)?")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
# As the images are: of their Python, on Linux. Hashes are those of all platforms' files.
_UV = (
    *("--python-version", "3.11.3", "--python-platform", "x86_64-manylinux_2_36"),
    *("--index-strategy", "unsafe-best-match", "--only-binary", ":all:", "--no-binary", "venn-abers"),
)

Pins = dict[str, "Pin"]


class Pin:
    """A package of one version with the hashes of its files.

    Args:
        name: As PyPI normalises it.
        version: The version.
        hashes: "sha256:" and 64 hexadecimal digits each.
    """

    def __init__(self, name: str, version: str, hashes: Iterable[str]) -> None:
        self.name, self.version, self.hashes = name, version, frozenset(hashes)

    def __str__(self) -> str:
        return " \\\n".join([f"{self.name}=={self.version}", *(f"    --hash={each}" for each in sorted(self.hashes))])


def normal(name: str) -> str:
    """Normalise a package's name as PyPI does.

    Example:
        >>> normal("Venn_ABERS")
        'venn-abers'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def read(path: Path) -> Pins:
    """Read a lock, or constraints, which have no hashes.

    Args:
        path: The file.

    Returns:
        Normalised name -> package.

    Raises:
        ValueError: If a line pins no version, or holds for some platforms alone.
    """
    found: Pins = {}
    for entry in re.split(r"\n(?=\S)", path.read_text(encoding="utf-8")):
        if not entry.strip() or entry.startswith("#"):
            continue
        pin = _PIN.match(entry)
        if pin is None or pin["marker"]:
            raise ValueError(f"{path.name} pins no one version: {entry.splitlines()[0]}")
        found[normal(pin["name"])] = Pin(normal(pin["name"]), pin["version"], _HASH.findall(entry))
    return found


def locked(variant: str) -> Pins:
    """Read all layers of a variant as one."""
    return {name: pin for layer in LAYERS for name, pin in read(LOCKS / variant / f"{layer}.txt").items()}


def _compile(wanted: Iterable[str], constraints: Path, known: Pins, *flags: str) -> Pins:
    """Have uv find versions and hashes; what is known already stays where the constraints leave a choice."""
    with tempfile.TemporaryDirectory() as folder:
        asked, out = Path(folder, "requirements.in"), Path(folder, "locked.txt")
        asked.write_text("\n".join(wanted) + "\n", encoding="utf-8")
        out.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in known.values()), encoding="utf-8")
        uv = str(Path(sys.executable).with_name("uv"))
        options = ("--quiet", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", *_UV, *flags)
        command = [
            uv,
            "pip",
            "compile",
            *options,
            "--constraint",
            str(constraints),
            "--output-file",
            str(out),
            str(asked),
        ]
        subprocess.run(command, check=True, timeout=600)  # noqa: S603 - the arguments are ours
        return read(out)


def _cpu_build(constraints: Path, version: str) -> Pin:
    """Find torch's builds for the CPU, wherever they are within reach.

    Raises:
        ValueError: If they are nowhere.
    """
    version = f"{version}+cpu"
    found = {
        f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
        for wheel in (ROOT / "wheels").glob(f"torch-{version}-*.whl")
    }
    if index := os.environ.get("TORCH_INDEX"):
        found |= _compile([f"torch=={version}"], constraints, {}, "--no-deps", "--index", index)["torch"].hashes
    lock = LOCKS / "stack" / f"{CPU}.txt"
    before = read(lock)["torch"] if lock.is_file() else None
    if before is not None and before.version == version:
        found |= before.hashes
    if not found:
        raise ValueError(f"no torch {version} is within reach: make wheels, or make lock TORCH_INDEX=...")
    return Pin("torch", version, found)


def _layers(variant: str) -> dict[str, Pins]:
    name, trainer = VARIANTS[variant]
    constraints, project = ROOT / name, ROOT / "pyproject.toml"
    known = locked(variant) if (LOCKS / variant).is_dir() else {}
    all_of_it = _compile(requirements(project, trainer), constraints, known)
    gateway = _compile(requirements(project, "gateway"), constraints, all_of_it)
    engine = _compile(requirements(project, "engine"), constraints, all_of_it)
    cuda = {name for name in engine if _CUDA.fullmatch(name)}
    names = {
        "gateway": set(gateway),
        "torch": {"torch"},
        "engine": engine.keys() - gateway.keys() - cuda - {"torch"},
        "cuda": cuda,
        "trainer": all_of_it.keys() - engine.keys(),
    }
    if missing := (gateway.keys() | engine.keys()) - all_of_it.keys():
        raise ValueError(f"the trainer lacks what images below it have: {', '.join(sorted(missing))}")
    layers = {layer: {name: all_of_it[name] for name in chosen} for layer, chosen in names.items()}
    if variant == "stack":  # a trainer on GPUs is not to get a build without CUDA
        layers[CPU] = {"torch": _cpu_build(constraints, all_of_it["torch"].version)}
    return layers


def write(path: Path, pins: Pins, about: str) -> None:
    """Write a lock.

    Args:
        path: The file; its folder is made.
        pins: What it names.
        about: A line that says what it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f"# {about}\n# Made by `make lock`; the file is checked with `pip install --require-hashes`.\n"
    path.write_text(head + "".join(f"{pins[name]}\n" for name in sorted(pins)), encoding="utf-8")


def main() -> None:
    """Write all locks anew."""
    for variant, (constraints, _) in VARIANTS.items():
        for layer, pins in _layers(variant).items():
            write(LOCKS / variant / f"{layer}.txt", pins, f"What the layer {layer} adds, by {constraints}.")
    for name, wanted in TOOLS.items():
        pins = _compile(wanted, ROOT / "constraints.txt", {})
        write(LOCKS / f"{name}.txt", pins, f"What images are built with: {', '.join(wanted)}. None holds it.")


if __name__ == "__main__":
    main()
