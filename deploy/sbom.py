"""Bills of materials: what is in each image, with licences and hashes, as CycloneDX: `python -m deploy.sbom`.

Versions and hashes are those of deploy/locks; licences and who needs whom are read by cyclonedx-py from the packages
themselves, which a development environment (`make dev`) has all of. Debian's packages, which the base image brings, are
not in them, nor is the trainer on GPUs, whose packages no development environment has.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.lock import CPU, LOCKS, ROOT, Pin, Pins, normal, read

IMAGES: Mapping[str, Sequence[str]] = {
    "gateway": ("gateway",),
    "engine": ("gateway", CPU, "engine"),
    "trainer": ("gateway", CPU, "engine", "trainer"),
}
"""Image -> its layers; policy and downstream have the same packages, those of engine."""

OUT = ROOT / "build" / "sbom"
_VERSION = SchemaVersion.V1_6
_UNKNOWN = "unknown"

Document = dict[str, Any]


class SbomError(Exception):
    """No true bill can be written; the message says what to do."""


def environment_bill() -> Document:
    """Have cyclonedx-py list the environment that this runs in, with the project as what it is all for."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "environment.json")
        command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(ROOT / "pyproject.toml")]
        command += [
            "--output-reproducible",
            "--no-validate",
            "--spec-version",
            _VERSION.to_version(),
            "--output-file",
            str(out),
        ]
        subprocess.run([*command, sys.executable], check=True, timeout=300)  # noqa: S603 - the arguments are ours
        found: Document = json.loads(out.read_text(encoding="utf-8"))
    return found


def packages_of(image: str) -> Pins:
    """Read what an image installs.

    Args:
        image: One of IMAGES.
    """
    return {name: pin for layer in IMAGES[image] for name, pin in read(LOCKS / "stack" / f"{layer}.txt").items()}


def bill_of(image: str, packages: Pins, environment: Document) -> Document:
    """Reduce the environment's bill to an image's packages, and add their hashes.

    Args:
        image: Its name.
        packages: What it installs.
        environment: From `environment_bill`.

    Returns:
        The bill; the same for the same input.

    Raises:
        SbomError: If the environment lacks a package, or has it in another version.
    """
    there = {normal(each["name"]): each for each in environment["components"]}
    components = [_component(packages[name], there.get(name)) for name in sorted(packages)]
    kept = {each["bom-ref"] for each in components}
    root = copy.deepcopy(environment["metadata"]["component"])
    root["name"] = f"trustvqa-{image}"
    graph = [{"ref": root["bom-ref"], "dependsOn": sorted(kept)}]
    for each in environment["dependencies"]:
        if each["ref"] in kept:
            needs = sorted(kept.intersection(each.get("dependsOn", ())))
            graph.append({"ref": each["ref"], **({"dependsOn": needs} if needs else {})})
    return {
        **environment,
        "metadata": {**environment["metadata"], "component": root},
        "components": components,
        "dependencies": graph,
    }


def _component(pin: Pin, found: Document | None) -> Document:
    """Take a package's entry over; of torch's builds, that of the environment stands for that of the image."""
    if found is None or found["version"].partition("+")[0] != pin.version.partition("+")[0]:
        has = "nothing" if found is None else found["version"]
        raise SbomError(f"{pin.name} {pin.version} is locked and {has} is installed: make dev")
    component = copy.deepcopy(found)
    component["version"] = pin.version
    component["purl"] = f"pkg:pypi/{pin.name}@{pin.version.replace('+', '%2B')}"
    # One for each file of that version: which of them an image has depends on its platform.
    component["externalReferences"] = [
        *(each for each in component.get("externalReferences", ()) if each["type"] != "distribution"),
        {
            "type": "distribution",
            "url": f"https://pypi.org/project/{pin.name}/{pin.version.partition('+')[0]}/",
            "comment": "SHA-256 of the files that may be installed",
            "hashes": [{"alg": "SHA-256", "content": each.partition(":")[2]} for each in sorted(pin.hashes)],
        },
    ]
    if not component.get("licenses"):
        # Neither an SPDX expression nor a classifier: what the package says in words.
        told = metadata(pin.name)
        said = str(told["License"]) if "License" in told else _UNKNOWN
        component["licenses"] = [{"license": {"name": said.splitlines()[0], "acknowledgement": "declared"}}]
    return component


def write(bill: Document, out: Path) -> None:
    """Write a bill that the standard's own schema agrees with.

    Raises:
        SbomError: If it does not.
    """
    text = json.dumps(bill, indent=1, sort_keys=True)
    if (fault := JsonStrictValidator(_VERSION).validate_str(text)) is not None:
        raise SbomError(f"{out.name} is no CycloneDX: {fault}")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Write the bills of all images."""
    environment = environment_bill()
    for image in IMAGES:
        bill = bill_of(image, packages_of(image), environment)
        out = OUT / f"{image}.cdx.json"
        write(bill, out)
        sys.stdout.write(f"{out.relative_to(ROOT)}: {len(bill['components'])} packages\n")


if __name__ == "__main__":
    try:
        main()
    except SbomError as error:
        sys.exit(f"error: {error}")
