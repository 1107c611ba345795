"""A cluster per way of applying the manifests; all tests here need a program that renders them."""

from __future__ import annotations

import pytest

from tests.k8s.cases import LAYERS, cluster
from tests.k8s.documents import Cluster, renderer


@pytest.fixture(autouse=True, scope="session")
def _renders() -> None:
    if renderer() is None:
        pytest.skip("there is neither kustomize nor kubectl to render with")


@pytest.fixture(params=LAYERS)
def case(request: pytest.FixtureRequest) -> Cluster:
    return cluster(request.param)
