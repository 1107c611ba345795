"""The stack as `docker compose up` starts it: what a newcomer does, how it is held, and what it survives."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import httpx
import pytest

from tests.deploy.containers import SAMPLE, SECRET, Stack
from tests.deploy.outside import PORT, THERE, outside, why_not
from tests.support.waiting import wait_until
from tests.system.readme import differences, first_example, run_example

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("deploy"), pytest.mark.timeout(300)]

SERVICES = ("gateway", "policy", "downstream", "trainer")
# What of a reply is the same for everybody who asks.
SAME = (
    *("answer", "guess", "confidence", "calibration", "decision"),
    *("guidance_prompt", "explanation", "guess_explanation", "models", "degraded"),
)
BEHIND = ("policy", "downstream", "trainer")


@pytest.fixture(scope="module")
def shown() -> tuple[str, dict[str, Any]]:
    """The README's first command and the reply that it shows."""
    return first_example()


def test_the_readme_s_question_gets_the_readme_s_answer(stack: Stack, shown: tuple[str, dict[str, Any]]) -> None:
    command, expected = shown
    printed = run_example(command, stack.gateway, header=f"Authorization: Bearer {stack.key}")
    assert list(differences(expected, printed)) == []
    assert printed["recorded"] is True


def test_every_service_runs_the_image_s_code(stack: Stack) -> None:
    said = httpx.get(f"{stack.gateway}/version").json()
    labels = stack.inspect("gateway")["Config"]["Labels"]
    assert said["service"] == "gateway"
    assert said["software"] == labels["org.opencontainers.image.version"]
    assert (said["revision"] or "") == labels["org.opencontainers.image.revision"]


# --- How the containers are held --------------------------------------------------------------------------------------

_LOOK = """
import json, os, pathlib, shutil

def fields(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: line.split(":", 1)[1].split() for line in lines}

def attempt(path):
    try:
        pathlib.Path(path).write_text("x")
    except OSError as error:
        return error.strerror
    os.unlink(path)
    return "written"

places = ("/tmp", "/app", "/usr/local", "/var/lib/trustvqa", "/run/secrets/trustvqa")
wanted = ("Cap", "Uid", "Gid", "Name", "NoNew")
pids = [pid for pid in os.listdir("/proc") if pid.isdigit()]
print(json.dumps({
    "processes": {pid: {k: v for k, v in fields(pid).items() if k.startswith(wanted)} for pid in pids},
    "written": {place: attempt(f"{place}/x") for place in places},
    "tools": [name for name in ("gcc", "cc", "make", "git", "curl") if shutil.which(name)],
}))
"""


def _looked(stack: Stack, service: str) -> dict[str, Any]:
    """Look once, at a moment when the engine's own runtime, still root, is starting no health check."""
    seen: list[dict[str, Any]] = []

    def settled() -> bool:
        seen.append(stack.python(service, _LOOK))
        return not any(status["Name"][0].startswith("runc") for status in seen[-1]["processes"].values())

    wait_until(settled)
    return seen[-1]


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_held_tightly(stack: Stack, service: str) -> None:
    seen = _looked(stack, service)
    assert len(seen["processes"]) >= 2  # the init process, the service, and the one that looks
    for status in seen["processes"].values():
        assert set(status["Uid"]) == set(status["Gid"]) == {"10001"}
        assert {int(status[name][0], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {0}
        assert status["NoNewPrivs"] == ["1"]
    refused = {place for place, said in seen["written"].items() if said == "Read-only file system"}
    assert refused == {"/app", "/usr/local", "/var/lib/trustvqa", "/run/secrets/trustvqa"}
    assert seen["written"]["/tmp"] == "written"  # noqa: S108
    assert seen["tools"] == []
    host = stack.inspect(service)["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert not host["Privileged"]
    assert host["Memory"] > 0
    assert 0 < host["PidsLimit"] <= 1024
    assert host["RestartPolicy"]["Name"] == "unless-stopped"


def test_only_the_gateway_is_published_and_only_to_this_machine(stack: Stack) -> None:
    published = {name: stack.inspect(name)["NetworkSettings"]["Ports"] for name in SERVICES}
    bound = {name: [each for ports in found.values() for each in ports or []] for name, found in published.items()}
    assert bound.pop("gateway") == [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]
    assert bound == {name: [] for name in BEHIND}


_REACH = """
import json, socket

def attempt(host, port):
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError as error:
        return type(error).__name__
    return "connected"

print(json.dumps({"outside": attempt("%s", %d), "downstream": attempt("downstream", 8082)}))
"""


def test_what_holds_the_models_is_in_internal_networks_only(stack: Stack) -> None:
    networks = {name: stack.inspect(name)["NetworkSettings"]["Networks"] for name in SERVICES}
    internal = {name: [stack.is_internal(each) for each in found] for name, found in networks.items()}
    assert internal.pop("gateway").count(False) == 1
    assert internal == {name: [True] for name in BEHIND}


def test_what_holds_the_models_reaches_its_neighbours_and_nothing_else(stack: Stack) -> None:
    if reason := why_not():
        pytest.skip(reason)
    with outside():
        reached = {name: stack.python(name, _REACH % (THERE, PORT)) for name in SERVICES}
    # The gateway may go out: the others fail for no other reason than that they may not.
    assert reached.pop("gateway") == {"outside": "connected", "downstream": "connected"}
    assert {each.pop("outside") for each in reached.values()} <= {"TimeoutError", "OSError"}
    assert reached == {name: {"downstream": "connected"} for name in BEHIND}


def test_the_gateway_s_image_has_no_torch_and_the_models_images_share_one(stack: Stack) -> None:
    program = "import json; from importlib.util import find_spec as f; print(json.dumps([n for n in {} if f(n)]))"
    names = ["torch", "transformers", "trl", "sklearn", "pandas"]
    assert stack.python("gateway", program.format(names)) == []
    assert stack.python("policy", program.format(names)) == ["torch", "transformers", "sklearn", "pandas"]
    assert stack.python("trainer", program.format(names)) == names


def test_a_secret_is_read_from_its_file_and_seen_nowhere_else(stack: Stack) -> None:
    read = "import json; from services.policy.settings import PolicySettings as S; s = S().upstream_api_key"
    assert stack.python("policy", f"{read}; print(json.dumps(s.get_secret_value()))") == SECRET
    for service in SERVICES:
        assert SECRET not in json.dumps(stack.inspect(service))
        listed = stack.python(service, "import json, os; print(json.dumps(os.listdir('/run/secrets/trustvqa')))")
        shown = {"TRUSTVQA_POLICY_UPSTREAM_API_KEY"} if service == "policy" else set()
        assert set(listed) == {".gitkeep"} | shown


_LOOK_FOR_KEYS = """
import json, pathlib, urllib.error, urllib.request

def status(url):
    try:
        return urllib.request.urlopen(url, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code

places = [each for each in map(pathlib.Path, ("/run", "/var/lib/trustvqa", "/tmp")) if each.exists()]
files = [each for place in places for each in place.rglob("*") if each.is_file() and each.stat().st_size < 10_000]
asked = [f"http://{name}" for name in ("policy:8081/v1/policies", "downstream:8082/v1/models", "trainer:8083/v1/runs")]
print(json.dumps({
    "texts": sorted({each.name for each in files if each.read_bytes().startswith(b"tvqa_")}),
    "hashes": [str(each) for each in files if each.name == "keys.json"],
    "statuses": [status(each) for each in asked],
}))
"""


def test_every_service_asks_for_a_key_and_holds_no_more_of_them_than_it_shows(stack: Stack) -> None:
    for path in ("/v1/about", "/v1/calibrators", "/metrics"):
        assert httpx.get(f"{stack.gateway}{path}").status_code == 401
        assert stack.administer(path).status_code == 200
    for service in SERVICES:
        seen = stack.python(service, _LOOK_FOR_KEYS)
        assert seen["statuses"] == [401, 401, 401]
        assert seen["hashes"] == ["/run/keys/keys.json"]
        shown = [
            f"TRUSTVQA_{each}_{model}_API_KEY" for each in ("GATEWAY", "TRAINER") for model in ("DOWNSTREAM", "POLICY")
        ]
        assert seen["texts"] == (shown if service in ("gateway", "trainer") else [])
        assert stack.key not in json.dumps(stack.inspect(service))


def test_keys_are_made_and_taken_back_while_the_stack_runs(stack: Stack) -> None:
    key = stack.compose("run", "--rm", "-T", "keys", "new", "--name", "ward 7", "--scope", "ask").strip()

    def status() -> int:
        return httpx.get(f"{stack.gateway}/v1/about", headers={"Authorization": f"Bearer {key}"}).status_code

    # Asked seldom: a key that does not count yet, or no more, is a wrong one, and twenty of them in a row are told 429.
    wait_until(lambda: status() == 200, poll_s=0.5)
    stack.compose("run", "--rm", "-T", "keys", "remove", "ward 7")
    wait_until(lambda: status() == 401, poll_s=0.5)
    assert stack.administer("/v1/about").status_code == 200


# --- What it survives -------------------------------------------------------------------------------------------------


def test_down_answers_what_it_took_and_up_again_has_registry_and_records(stack: Stack) -> None:
    answered = stack.ask().json()
    feedback = {"who": "reviewer", "correct_option": "C"}
    assert stack.administer(f"/vqa/{answered['id']}/feedback", **feedback).status_code == 201
    live = answered["calibration"]["calibrator"]
    assert stack.administer(f"/v1/calibrators/{live}/activate", who="reviewer").status_code == 200
    listed = stack.administer("/v1/calibrators").json()

    # A question whose picture is still on its way when the stack is told to stop.
    request = httpx.Request(
        "POST",
        f"{stack.gateway}/vqa",
        data={"question": "What shape are the findings?", "options": ["Round", "Oval"]},
        files={"image": SAMPLE.read_bytes()},
        headers=stack.headers,
    )
    body = request.read()
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection(("127.0.0.1", stack.port), timeout=60) as client:
        client.sendall(f"POST /vqa HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode() + body[:1000])
        wait_until(lambda: httpx.get(f"{stack.gateway}/health/live").status_code == 200)
        going_down = threading.Thread(target=stack.compose, args=("down",))
        going_down.start()
        wait_until(lambda: not takes_connections(stack), 60)
        client.sendall(body[1000:])
        reply = b"".join(iter(lambda: client.recv(65536), b""))
    going_down.join(120)
    assert reply.startswith(b"HTTP/1.1 200"), reply[:300]
    late = json.loads(reply.partition(b"\r\n\r\n")[2])
    assert not stack.compose("ps", "--all", "--quiet").strip()

    stack.start()
    again = stack.ask().json()
    assert {name: again[name] for name in SAME} == {name: answered[name] for name in SAME}
    assert stack.administer("/v1/calibrators").json() == listed
    for each in (answered, late):
        assert stack.administer(f"/vqa/{each['id']}").status_code == 200
    assert "reviewer" in stack.administer(f"/vqa/{answered['id']}").text


def takes_connections(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.gateway}/health/live", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
