"""Clients get through the ways in, and operators' paths do not."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from fastapi.routing import iter_route_contexts

from services.gateway.settings import GatewaySettings
from tests.k8s.cases import cluster
from tests.k8s.documents import K8S, load_all
from tests.k8s.probes import answers, application
from tests.k8s.settings import listen

CLIENTS: tuple[str, ...] = (
    "/",
    "/static/page/main.js",
    "/vqa",
    "/vqa/1",
    "/vqa/1/feedback",
    "/v1/about",
    "/v1/feedback",
    "/v1/calibrators",
)
CLIENTS += ("/calibration", "/calibration.json", "/model-card", "/reviews", "/sign-in", "/sign-out")
OPERATORS: tuple[str, ...] = (
    "/metrics",
    "/version",
    "/health/live",
    "/health/ready",
    "/openapi.json",
    "/docs",
    "/docs/{name}",
    "/calibration.html",
    "/vqaa",
)


def ingress_paths() -> list[Callable[[str], bool]]:
    (document,) = load_all((K8S / "components/ingress/ingress.yaml").read_text())
    paths = document["spec"]["rules"][0]["http"]["paths"]
    return [matcher(each["path"], each["pathType"] == "Prefix") for each in paths]


def route_paths() -> list[Callable[[str], bool]]:
    (document,) = load_all((K8S / "components/httproute/httproute.yaml").read_text())
    matches = [each["path"] for each in document["spec"]["rules"][0]["matches"]]
    return [matcher(each["value"], each["type"] == "PathPrefix") for each in matches]


def matcher(path: str, is_prefix: bool) -> Callable[[str], bool]:
    """Both standards match prefixes by whole elements of a path."""
    return lambda asked: asked == path or (is_prefix and asked.startswith(path.rstrip("/") + "/"))


@pytest.mark.parametrize("paths", [ingress_paths, route_paths], ids=["ingress", "httproute"])
def test_clients_get_through_and_operators_paths_do_not(paths: Callable[[], list[Callable[[str], bool]]]) -> None:
    for path in CLIENTS:
        assert answers("gateway", path) or answers("gateway", path, "POST"), path
        assert any(matches(path) for matches in paths()), path
    assert not [path for path in OPERATORS if any(matches(path) for matches in paths())]
    # Whatever route is added to the gateway has to be let in here, or to be listed above.
    known = {each.path or "" for each in iter_route_contexts(application("gateway").routes)} - {*OPERATORS}
    assert known > {"/", "/vqa", "/v1/about"}
    assert not [path for path in known if not any(matches(path) for matches in paths())]


def test_the_way_in_takes_what_the_gateway_takes() -> None:
    settings = next(told.settings for told in listen(cluster("gpu")) if told.service == "gateway")
    assert isinstance(settings, GatewaySettings)
    (document,) = cluster("gpu").of("Ingress")
    noted = document["metadata"]["annotations"]
    megabytes = re.fullmatch(r"(\d+)m", noted["nginx.ingress.kubernetes.io/proxy-body-size"])
    assert megabytes is not None
    assert int(megabytes[1]) * 1024 * 1024 >= settings.max_body_bytes
    longest = settings.deadline_s + settings.upload_deadline_s
    assert int(noted["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= longest
    (route,) = load_all((K8S / "components/httproute/httproute.yaml").read_text())
    assert int(route["spec"]["rules"][0]["timeouts"]["request"].removesuffix("s")) >= longest
