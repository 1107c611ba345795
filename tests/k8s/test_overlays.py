"""Overlays and components hold together: references, settings, probes, confinement.

There is no API server here. What these tests cannot see: admission, scheduling, volumes, and whether a network plugin
enforces the policies.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.k8s.cases import FURTHER, rendered
from tests.k8s.documents import COMPONENT, K8S, Cluster, Document, load_all, render_with
from tests.k8s.probes import probe_faults
from tests.k8s.references import reference_faults
from tests.k8s.schemas import CUSTOM, NEWEST, schema_faults
from tests.k8s.security import security_faults
from tests.k8s.settings import settings_faults, with_runs


def everything(found: Cluster) -> list[str]:
    return [*reference_faults(found), *settings_faults(found), *probe_faults(found), *security_faults(found)]


def operators_own(documents: Sequence[Document], components: Sequence[str]) -> list[Document]:
    """Make the pods that components leave to an operator: a second downstream model's, as the first one's are."""
    if "second-model" not in components:
        return []
    [first] = (each for each in documents if (each["kind"], each["metadata"]["name"]) == ("Deployment", "downstream"))
    second = copy.deepcopy(first)
    second["metadata"]["name"] = "second-downstream"
    pods = second["spec"]["template"]
    spread = (each["labelSelector"]["matchLabels"] for each in pods["spec"].get("topologySpreadConstraints", ()))
    for part in (second["spec"]["selector"]["matchLabels"], pods["metadata"]["labels"], *spread):
        part[COMPONENT] = "second-downstream"
    return [second]


def test_it_holds_together(case: Cluster) -> None:
    assert everything(case) == []


@pytest.mark.parametrize("overlay", FURTHER)
def test_further_components_fit_too(overlay: str, tmp_path: Path) -> None:
    documents = render_with(overlay, FURTHER[overlay], tmp_path)
    assert len(documents) > len(rendered(overlay))
    assert everything(with_runs(Cluster([*documents, *operators_own(documents, FURTHER[overlay])]))) == []
    assert schema_faults(documents, NEWEST[-1]) == []


def test_every_component_is_used_somewhere() -> None:
    there = {path.parent.name for path in (K8S / "components").glob("*/kustomization.yaml")}
    used = set(itertools.chain(*FURTHER.values()))
    for path in (K8S / "overlays").glob("*/kustomization.yaml"):
        used |= {Path(each).name for each in yaml.safe_load(path.read_text()).get("components", ())}
    assert used == there


def test_other_software_s_kinds_are_only_where_the_overlay_says_so() -> None:
    assert not CUSTOM.keys() & {each["kind"] for each in rendered("embedded")}
    for folder in [*K8S.glob("overlays/*"), *K8S.glob("components/*")]:
        kinds = {
            each["kind"] for path in folder.glob("*.yaml") for each in load_all(path.read_text()) if "kind" in each
        }
        said = (folder / "kustomization.yaml").read_text()
        assert all(kind in said and CUSTOM[kind] in said for kind in kinds & CUSTOM.keys()), folder
