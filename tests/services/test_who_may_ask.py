"""Every route of every service says who may ask, does as it says, and docs/api.md says the same."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from services.common.auth import Right
from services.common.auth.access import Access, Rule, rules_of
from services.common.auth.authenticator import Authenticator
from services.common.auth.startup_check import refuse_to_start_open
from services.downstream.app import downstream_app
from services.downstream.settings import DownstreamSettings
from services.gateway.app import create_gateway
from services.gateway.settings import GatewaySettings
from services.policy.app import policy_app
from services.policy.settings import PolicySettings
from services.trainer.app import trainer_app
from services.trainer.settings import TrainerSettings
from tests.support.keys import bearer, keys_at
from tests.support.servers import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("gateway", "policy", "downstream", "trainer")
# What anybody may ask. Whoever adds to this adds a hole.
OPEN = {
    "gateway": {
        "GET /health/live", "GET /health/ready", "GET /version", "* /static", "GET /sign-in", "POST /sign-in",
        "POST /sign-out", "GET /cds-services",
    },
    "policy": {"GET /health/live", "GET /health/ready", "GET /version"},
    "downstream": {"GET /health/live", "GET /health/ready", "GET /version", "GET /health"},
    "trainer": {"GET /health/live", "GET /health/ready", "GET /version"},
}  # fmt: skip


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    return path, keys_at(path)


def application(service: str, path: Path) -> FastAPI:
    given: dict[str, Any] = {"api_keys": path, "registry": path.parent / "registry"}
    return {
        "gateway": lambda: create_gateway(GatewaySettings(records_url="", **given)),
        "policy": lambda: policy_app(PolicySettings(**given)),
        "downstream": lambda: downstream_app(DownstreamSettings(**given)),
        "trainer": lambda: trainer_app(TrainerSettings(**given)),
    }[service]()


def rules(app: FastAPI) -> list[Rule]:
    """The routes as the application's own guard sees them."""
    [guard] = [each for each in app.user_middleware if each.cls == Authenticator]  # type: ignore[comparison-overlap]
    return rules_of(app, cast(Mapping[str, Access], guard.kwargs["others"]))


def named(rule: Rule) -> Iterator[str]:
    for method in sorted((rule.methods or {"*"}) - {"HEAD"}):
        yield f"{method} {rule.path}"


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_says_who_may_ask(service: str, keys: tuple[Path, dict[str, str]]) -> None:
    app = application(service, keys[0])
    found = rules(app)
    assert [rule.path for rule in found if not rule.declared] == []
    assert {name for rule in found if not rule.access for name in named(rule)} == OPEN[service]
    # All there is to be asked is in the list: that of the framework itself is no longer.
    assert len(found) == sum(1 for _ in iter_route_contexts(app.routes))


@pytest.mark.parametrize("service", SERVICES)
def test_a_route_added_without_a_word_is_noticed(service: str, keys: tuple[Path, dict[str, str]]) -> None:
    app = application(service, keys[0])
    app.add_api_route("/added-later", lambda: "open?", methods=["GET"])
    [rule] = [rule for rule in rules(app) if not rule.declared]
    assert rule.path == "/added-later"
    assert set(rule.access) == {Right.ADMIN}


@pytest.mark.parametrize("service", SERVICES)
async def test_every_route_does_as_it_says(service: str, keys: tuple[Path, dict[str, str]]) -> None:
    """Each is asked without a key and with every key that does not suffice; nothing behind the guard runs."""
    app = application(service, keys[0])
    transport = httpx.ASGITransport(app)  # no lifespan: whatever got past the guard would find nothing to work with
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        asked = 0
        for rule in rules(app):
            if not rule.access:
                continue
            path = re.sub(r"\{[^}]*\}", "x", rule.path)
            for method in sorted((rule.methods or {"GET"}) - {"HEAD"}):
                reply = await http.request(method, path, content=b"x" * 1000)
                assert reply.status_code == 401, (method, path)
                for right in Right:
                    if right is Right.ADMIN or rule.access <= {right}:
                        continue
                    reply = await http.request(method, path, headers=bearer(keys[1][right]))
                    assert reply.status_code == 403, (method, path, right)
                asked += 1
    assert asked >= 4


@cache
def documented() -> dict[str, dict[str, str]]:
    """The table of docs/api.md: service -> method and path -> scope."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    section = text.partition("## Who may ask")[2].partition("\n## ")[0]
    found: dict[str, dict[str, str]] = {service: {} for service in SERVICES}
    for row in re.findall(r"^\| ([a-z, ]+) \| (`[A-Z*]+ .+?`) \| (.+?) \|$", section, re.MULTILINE):
        services = SERVICES if row[0] == "all" else row[0].split(", ")
        for service in services:
            for route in re.findall(r"`([^`]+)`", row[1]):
                found[service][route] = row[2].strip("`")
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_the_documents_say_who_may_ask(service: str, keys: tuple[Path, dict[str, str]]) -> None:
    there = {
        name: " ".join(sorted(rule.access)) or "none"
        for rule in rules(application(service, keys[0]))
        for name in named(rule)
    }
    assert documented()[service] == there


# --- Starting ---------------------------------------------------------------------------------------------------------


Start = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Start:
    """Run a service's module as `python -m` does, in this process: it must end at once; what it said."""

    def serves(*_: object) -> None:
        raise AssertionError("it serves")

    def start(service: str, **settings: str) -> str:
        monkeypatch.chdir(ROOT)
        for name, value in {"PORT": str(free_port()), "REGISTRY": str(tmp_path / "registry"), **settings}.items():
            monkeypatch.setenv(f"TRUSTVQA_{service.upper()}_{name}", value)
        monkeypatch.setattr("services.common.http.server.EndingServer.run", serves)
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(f"services.{service}", run_name="__main__")
        assert ended.value.code == 2
        return capsys.readouterr().err

    return start


@pytest.mark.parametrize("service", ["gateway", "trainer"])
def test_without_keys_it_does_not_start_where_others_reach_it(service: str, refused: Start) -> None:
    said = refused(service, HOST="0.0.0.0")  # noqa: S104 - that it refuses is what is tested
    assert said.startswith(f"error: the {service} would listen on 0.0.0.0 and let everybody in")
    assert f"TRUSTVQA_{service.upper()}_API_KEYS=" in said
    assert "trustvqa keys new" in said


@pytest.mark.parametrize("service", ["policy", "downstream"])
def test_services_behind_others_start_without_keys_but_not_with_keys_that_are_not_there(
    service: str, tmp_path: Path, refused: Start
) -> None:
    settings = {"policy": PolicySettings, "downstream": DownstreamSettings}[service]
    refuse_to_start_open(settings(host="0.0.0.0"), always=False)  # noqa: S104
    said = refused(service, API_KEYS=str(tmp_path / "absent.json"))
    assert f"TRUSTVQA_{service.upper()}_API_KEYS names cannot be read: there is no file" in said


@pytest.mark.parametrize(("text", "says"), [("{", "Invalid JSON"), ('{"keys": []}', "holds no key")])
def test_keys_that_cannot_be_used_keep_a_service_from_starting(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    for host in ("127.0.0.1", "0.0.0.0"):  # noqa: S104
        with pytest.raises(SystemExit) as ended:
            refuse_to_start_open(PolicySettings(api_keys=path, host=host), always=False)
        assert ended.value.code == 2
        assert says in capsys.readouterr().err


def test_on_loopback_nothing_is_asked_for(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        refuse_to_start_open(GatewaySettings(host=host), always=True)
    keys_at(tmp_path / "keys.json", someone="ask")
    refuse_to_start_open(GatewaySettings(host="0.0.0.0", api_keys=tmp_path / "keys.json"), always=True)  # noqa: S104


def test_vllm_which_knows_no_file_of_keys_is_not_started_as_if_it_did(tmp_path: Path) -> None:
    keys_at(tmp_path / "keys.json")
    with pytest.raises(ValueError, match="VLLM_API_KEY"):
        DownstreamSettings(engine="vllm", api_keys=tmp_path / "keys.json")


def test_a_gateway_with_keys_listens_beyond_this_machine(tmp_path: Path) -> None:
    keys = keys_at(tmp_path / "keys.json")
    port = free_port()
    settings = {"HOST": "0.0.0.0", "PORT": str(port), "REGISTRY": str(tmp_path), "RECORDS_URL": ""}  # noqa: S104
    settings["API_KEYS"] = str(tmp_path / "keys.json")
    environment = {**os.environ, **{f"TRUSTVQA_GATEWAY_{name}": value for name, value in settings.items()}}
    with subprocess.Popen(
        [sys.executable, "-m", "services.gateway"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    ) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:

                def is_up() -> bool:
                    try:
                        return http.get("/health/live").status_code == 200
                    except httpx.TransportError:
                        return False

                wait_until(is_up, 60)
                assert http.get("/v1/about").status_code == 401
                assert http.get("/v1/about", headers=bearer(keys["ask"])).status_code == 200
        finally:
            process.kill()


# --- Between services -------------------------------------------------------------------------------------------------


def test_settings_of_keys_are_kept_out_of_sight() -> None:
    for settings in (GatewaySettings, PolicySettings, TrainerSettings):
        names = [name for name in settings.model_fields if name.endswith("_api_key")]
        assert names
        given: dict[str, Any] = dict.fromkeys(names, "sesame")
        assert "sesame" not in repr(settings(**given))


@pytest.mark.parametrize("service", SERVICES)
async def test_health_routes_answer_head_to_whom_they_answer_get(
    service: str, keys: tuple[Path, dict[str, str]]
) -> None:
    found = rules(application(service, keys[0]))
    paths = ["/health/live", "/health/ready", "/version", "/metrics", *["/health"][: service == "downstream"]]
    for path in paths:
        asked = {method: next(rule for rule in found if rule.takes(method, path)) for method in ("GET", "HEAD")}
        assert asked["HEAD"].access == asked["GET"].access
