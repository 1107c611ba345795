"""The deployments give vLLM the flags that the servers of these tests were given, and took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from services.downstream.settings import DownstreamSettings
from services.downstream.vllm import vllm_argv
from tests.vllm.conftest import ROOT, Servers
from tests.vllm.servers import compose_flags

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.xdist_group("vllm")]


def names(arguments: list[str]) -> set[str]:
    return {argument.split("=")[0] for argument in arguments if argument.startswith("--")}


def cluster_flags() -> Iterator[list[str]]:
    """The arguments of every vLLM in the cluster's overlay for GPUs."""
    for file in sorted((ROOT / "k8s/overlays/gpu").glob("*.yaml")):
        documents: list[dict[str, Any]] = [each for each in yaml.safe_load_all(file.read_text()) if each]
        for document in documents:
            containers = document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
            yield from (each["args"] for each in containers if each.get("command") == ["vllm", "serve"])


def test_the_cluster_gives_no_flag_that_no_server_here_took(servers: Servers) -> None:
    assert servers.downstream.process.args
    taken = names(vllm_argv(DownstreamSettings(engine="vllm")))
    taken |= names(compose_flags("downstream")) | names(compose_flags("policy-engine"))
    flags = list(cluster_flags())
    assert len(flags) == 2
    for each in flags:
        assert names(each) <= taken
        assert "--shutdown-timeout" in names(each)


def test_the_second_place_of_the_policy_is_told_what_the_first_one_is() -> None:
    def told(service: str) -> list[str]:
        return sorted(flag for flag in compose_flags(service) if flag.startswith("--"))

    assert told("policy-engine-next") == told("policy-engine")
