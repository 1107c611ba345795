"""Bills of materials say what the locks say, with every licence, and are what the standard calls CycloneDX."""

from __future__ import annotations

import json
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from deploy.lock import Pin, normal
from deploy.sbom import IMAGES, SbomError, bill_of, packages_of, write

HASH = "sha256:" + "ab" * 32


def environment(**versions: str) -> dict[str, Any]:
    """As cyclonedx-py lists an environment in which c needs b and b needs a."""
    needs = {"b": ["a"], "c": ["b"]}
    refs = {name: f"{name}=={version}" for name, version in versions.items()}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"bom-ref": "root", "name": "trustvqa", "type": "application", "version": "0.1.0"}},
        "components": [
            {
                "bom-ref": refs[name],
                "type": "library",
                "name": name,
                "version": version,
                "licenses": [{"license": {"id": "MIT"}}],
            }
            for name, version in versions.items()
        ],
        "dependencies": [
            {"ref": ref, "dependsOn": [refs[each] for each in needs.get(name, ()) if each in refs]}
            for name, ref in refs.items()
        ],
    }


def pins(**versions: str) -> dict[str, Pin]:
    return {name: Pin(name, version, [HASH]) for name, version in versions.items()}


def test_a_bill_names_what_the_lock_names_with_hashes_licences_and_needs(tmp_path: Path) -> None:
    bill = bill_of("gateway", pins(a="1", b="2"), environment(a="1", b="2", c="3"))
    out = tmp_path / "folder" / "gateway.cdx.json"
    write(bill, out)
    found = json.loads(out.read_text())
    assert [(each["name"], each["version"], each["purl"]) for each in found["components"]] == [
        ("a", "1", "pkg:pypi/a@1"),
        ("b", "2", "pkg:pypi/b@2"),
    ]
    for each in found["components"]:
        assert each["licenses"] == [{"license": {"id": "MIT"}}]
        (files,) = [link for link in each["externalReferences"] if link["type"] == "distribution"]
        assert files["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert found["metadata"]["component"]["name"] == "trustvqa-gateway"
    assert {each["ref"]: each.get("dependsOn", []) for each in found["dependencies"]} == {
        "root": ["a==1", "b==2"],
        "a==1": [],
        "b==2": ["a==1"],
    }


def test_torchs_cpu_build_is_named_as_what_it_is() -> None:
    bill = bill_of("engine", {"a": Pin("a", "1+cpu", [HASH])}, environment(a="1"))
    (component,) = bill["components"]
    assert (component["version"], component["purl"]) == ("1+cpu", "pkg:pypi/a@1%2Bcpu")


@pytest.mark.parametrize(("there", "has"), [({"b": "2"}, "nothing"), ({"a": "2", "b": "2"}, "2")])
def test_a_bill_is_not_guessed_where_packages_are_not_installed(there: dict[str, str], has: str) -> None:
    with pytest.raises(SbomError, match=rf"a 1 is locked and {has} is installed: make dev"):
        bill_of("gateway", pins(a="1"), environment(**there))


def test_what_is_no_cyclonedx_is_not_written(tmp_path: Path) -> None:
    bill = bill_of("gateway", pins(a="1"), environment(a="1"))
    bill["components"][0]["licences"] = []
    with pytest.raises(SbomError, match=r"bad\.json is no CycloneDX"):
        write(bill, tmp_path / "bad.json")
    assert not (tmp_path / "bad.json").exists()


def test_all_that_images_install_is_installed_here_and_says_its_licence() -> None:
    """Of three the licence is a text in no standard's words; none says nothing."""
    here = {normal(each.metadata["Name"]): each.metadata for each in distributions()}
    trainer = packages_of("trainer")
    assert {normal(name) for name in trainer} <= here.keys()
    assert set(packages_of("gateway")) < set(packages_of("engine")) < set(trainer)
    assert set(IMAGES) == {"gateway", "engine", "trainer"}
    silent = [
        name
        for name in trainer
        if not {"License", "License-Expression", "License-File"} & set(here[name])
        and not any("License ::" in line for line in here[name].get_all("Classifier", []))
    ]
    assert silent == []
