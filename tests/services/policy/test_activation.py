"""Versions changing places while the service is asked, with real models on the real engine."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from prompt4trust.prompts import guide_messages, load_template
from prompt4trust.questions import letter_options
from services.common.registry.directory import Registry
from tests.services.policy.conftest import ModelServer, Serve, Standing, get, post
from tests.services.policy.test_cgp import QUESTION, problem
from tests.support.keys import bearer, keys_at
from tests.support.waiting import until

QUESTIONS = [f"Where does finding number {number} lie?" for number in range(6)]
OPTIONS = ["Left", "Right", "Both"]
TOKENS = 12


@pytest.fixture(scope="module")
def expected(tiny_policies: Path) -> dict[tuple[str, str], str]:
    """Each version's guidance, by transformers' own generate, one question at a time."""
    texts = {}
    for version in ("policy-a", "policy-b"):
        path = tiny_policies / version
        tokenizer: Any = AutoTokenizer.from_pretrained(path)
        untyped: Any = AutoModelForCausalLM
        model = untyped.from_pretrained(path, dtype=torch.float32).eval()
        for question in QUESTIONS:
            messages = guide_messages(load_template(path / "prompt.json"), question, letter_options(OPTIONS))
            prompt = tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            with torch.no_grad():
                written = model.generate(**prompt, do_sample=False, max_new_tokens=TOKENS)
            new = written[0, prompt["input_ids"].shape[1] :]
            texts[version, question] = tokenizer.decode(new, skip_special_tokens=True).strip()
    assert all(texts["policy-a", question] != texts["policy-b", question] for question in QUESTIONS)
    return texts


@pytest.mark.parametrize("idle_versions", [0, 1])
async def test_activation_under_load_drops_and_mixes_up_nothing(
    serve_policy: Serve, tiny_policies: Path, expected: dict[tuple[str, str], str], idle_versions: int
) -> None:
    switches = 4
    answered: list[str] = []
    done = asyncio.Event()

    async def keep_asking(http: httpx.AsyncClient, start: int) -> None:
        turn = start
        while not done.is_set():
            question = QUESTIONS[turn % len(QUESTIONS)]
            reply = await http.post("/v1/cgp", json={"question": question, "options": OPTIONS})
            assert reply.status_code == 200, reply.text
            body = reply.json()
            assert body["prompts"][0]["text"] == expected[body["version"], question]
            answered.append(body["version"])
            turn += 1

    # Without a cache every reply is generated; without idle versions every switch loads and closes a model.
    with serve_policy(
        shipped=tiny_policies, version="policy-a", max_tokens=TOKENS, cache_entries=0, idle_versions=idle_versions
    ) as url:
        async with httpx.AsyncClient(base_url=url, timeout=30) as http, asyncio.TaskGroup() as tasks:
            for start in range(8):
                tasks.create_task(keep_asking(http, start))
            for switch in range(switches):
                seen = len(answered)
                await until(lambda: len(answered) >= seen + 12)  # noqa: B023 - awaited at once
                target = "policy-b" if switch % 2 == 0 else "policy-a"
                reply = await http.post(f"/v1/policies/{target}/activate")
                assert reply.status_code == 200
                assert reply.json()["active"] == target
                now = await http.post("/v1/cgp", json={"question": QUESTIONS[0], "options": OPTIONS})
                assert now.json()["version"] == target
            done.set()
    changes = sum(first != second for first, second in itertools.pairwise(answered))
    assert changes >= switches - 1
    assert set(answered) == {"policy-a", "policy-b"}


async def test_a_request_in_flight_finishes_on_the_version_that_it_began_with(
    remote_policy: Serve, model_server: ModelServer
) -> None:
    model_server.gate.clear()
    with remote_policy(idle_versions=0) as url:
        async with httpx.AsyncClient(base_url=url) as http:
            begun = asyncio.create_task(http.post("/v1/cgp", json=QUESTION))
            await until(lambda: len(model_server.bodies) == 1)
            assert (await http.post("/v1/policies/policy-b/activate")).json() == {
                "active": "policy-b",
                "previous": "policy-a",
            }
            later = asyncio.create_task(http.post("/v1/cgp", json=QUESTION))
            await until(lambda: len(model_server.bodies) == 2)
            assert (await http.get("/version")).json()["policy"]["loaded"] == ["policy-a", "policy-b"]
            model_server.gate.set()
            assert (await begun).json()["version"] == "policy-a"
            assert (await later).json()["version"] == "policy-b"
            assert (await http.get("/version")).json()["policy"]["loaded"] == ["policy-b"]


def truncate_weights(path: Path) -> None:
    weights = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(weights[: len(weights) // 2])


def drop_a_weight(path: Path) -> None:
    weights = load_file(path / "model.safetensors")
    weights.pop("model.layers.0.mlp.down_proj.weight")
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})


def pickle_weights(path: Path) -> None:
    torch.save(load_file(path / "model.safetensors"), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()


def ask_for_code(path: Path) -> None:
    config = json.loads((path / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}}
    (path / "config.json").write_text(json.dumps(config))
    (path / "evil.py").write_text("raise SystemExit('code from a model directory was run')")


def change_role(path: Path) -> None:
    template = json.loads((path / "prompt.json").read_text())
    template |= {"role": "answer", "user": "{question}{options}{guidance}"}
    (path / "prompt.json").write_text(json.dumps(template))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated weights": (truncate_weights, "cannot be loaded"),
    "a missing weight": (drop_a_weight, "cannot be loaded"),
    "no weights": (lambda path: (path / "model.safetensors").unlink(), "no safetensors weights"),
    "pickled weights": (pickle_weights, "no safetensors weights"),
    "no tokenizer": (lambda path: (path / "tokenizer.json").unlink(), "no tokenizer"),
    "a spoilt tokenizer": (lambda path: (path / "tokenizer.json").write_text("[]"), "cannot be loaded"),
    "a config that is no JSON": (lambda path: (path / "config.json").write_text("{"), "cannot be loaded"),
    "a config that asks for code": (ask_for_code, "cannot be loaded"),
    "no template": (lambda path: (path / "prompt.json").unlink(), "prompt.json is missing"),
    "a template that is no JSON": (lambda path: (path / "prompt.json").write_text("?"), "prompt.json does not hold"),
    "a template for another role": (change_role, "for the role 'answer'"),
}


def test_a_broken_version_is_refused_and_the_old_one_keeps_serving(
    serve_policy: Serve, tiny_policies: Path, tmp_path: Path
) -> None:
    shipped = tmp_path / "shipped"
    shutil.copytree(tiny_policies / "policy-a", shipped / "policy-a")
    names = {fault: f"policy-broken-{number}" for number, fault in enumerate(FAULTS)}
    for fault, name in names.items():
        shutil.copytree(tiny_policies / "policy-b", shipped / name)
        FAULTS[fault][0](shipped / name)
    with serve_policy(shipped=shipped, version="policy-a", max_tokens=TOKENS) as url:
        before = post(f"{url}/v1/cgp", json=QUESTION).json()["prompts"]
        for fault, name in names.items():
            refused = post(f"{url}/v1/policies/{name}/activate", timeout=20)
            detail = problem(refused, 409, "policy-version-unusable")["detail"]
            assert FAULTS[fault][1] in detail, fault
            assert str(tmp_path) not in detail
            problem(post(f"{url}/v1/cgp", json={**QUESTION, "version": name}), 409, "policy-version-unusable")
        assert Registry(tmp_path / "registry").active.policy() == "policy-a"
        after = post(f"{url}/v1/cgp", json=QUESTION).json()
        assert (after["version"], after["prompts"]) == ("policy-a", before)
        assert get(f"{url}/health/ready").status_code == 200
        listed = {entry["version"]: entry for entry in get(f"{url}/v1/policies").json()["policies"]}
        assert not listed[names["no template"]]["usable"]
        assert "missing" in listed[names["no template"]]["problem"]


async def test_what_another_process_activates_is_taken_up(
    remote_policy: Serve, model_server: ModelServer, tmp_path: Path
) -> None:
    with remote_policy() as url:
        async with httpx.AsyncClient(base_url=url) as http:
            assert (await http.post("/v1/cgp", json=QUESTION)).json()["version"] == "policy-a"
            # As a trainer does when it publishes: all that passes between the two is the file.
            Registry(tmp_path / "registry").activate_policy("policy-b")

            def live() -> str:
                return str(get(f"{url}/v1/policies").json()["active"])

            await until(lambda: live() == "policy-b")
            assert (await http.post("/v1/cgp", json=QUESTION)).json()["version"] == "policy-b"

            # One that cannot be used is said to be so, and the last good one goes on serving.
            model_server.served = frozenset({"policy-a", "policy-b"})
            Registry(tmp_path / "registry").activate_policy("policy-c")
            await until(lambda: "registry" in get(f"{url}/health/ready").json()["dependencies"])
            ready = await http.get("/health/ready")
            assert ready.status_code == 200
            assert ready.json()["dependencies"]["registry"]["ok"] is False
            assert (await http.post("/v1/cgp", json=QUESTION)).json()["version"] == "policy-b"
            assert (await http.post("/v1/policies/policy-a/activate")).status_code == 200
            assert "registry" not in (await http.get("/health/ready")).json()["dependencies"]


def test_a_restart_keeps_what_was_activated(remote_policy: Serve, tmp_path: Path) -> None:
    with remote_policy() as url:
        assert get(f"{url}/v1/policies").json()["active"] in (None, "policy-a")
        assert post(f"{url}/v1/policies/policy-c/activate").status_code == 200
    assert json.loads((tmp_path / "registry" / "active.json").read_text())["policy"] == "policy-c"
    with remote_policy() as url:
        assert post(f"{url}/v1/cgp", json=QUESTION).json()["version"] == "policy-c"


def test_a_registry_that_may_only_be_read_serves_and_refuses_activation(remote_policy: Serve, tmp_path: Path) -> None:
    with remote_policy() as url:
        assert post(f"{url}/v1/cgp", json=QUESTION).status_code == 200
        # A directory in the file's place cannot be replaced by a file, not even by root.
        (tmp_path / "registry" / "active.json").unlink()
        (tmp_path / "registry" / "active.json").mkdir()
        (tmp_path / "registry" / "active.json" / "kept").touch()
        problem(post(f"{url}/v1/policies/policy-b/activate"), 503, "registry-not-writable")
        assert post(f"{url}/v1/cgp", json=QUESTION).json()["version"] == "policy-a"


def test_versions_are_listed_with_what_they_say_of_themselves(
    serve_policy: Serve, tiny_policies: Path, tmp_path: Path
) -> None:
    shipped = tmp_path / "shipped"
    shutil.copytree(tiny_policies, shipped)
    (shipped / "policy-b" / "metrics.json").write_text('{"ece": 0.03}')
    with serve_policy(shipped=shipped, version="policy-a", max_tokens=4) as url:
        post(f"{url}/v1/cgp", json=QUESTION)
        listed = get(f"{url}/v1/policies").json()
    assert listed["active"] == "policy-a"
    first, second = listed["policies"]
    assert (first["version"], first["active"], first["loaded"], first["usable"]) == ("policy-a", True, True, True)
    assert (second["version"], second["active"], second["loaded"], second["usable"]) == ("policy-b", False, False, True)
    assert set(first["template"]) == {"name", "version"}
    assert first["metadata"]["architecture"] == "Qwen2ForCausalLM"
    assert second["metadata"]["metrics"] == {"ece": 0.03}


@pytest.mark.parametrize(
    ("settings", "headers", "refusal"),
    [
        ({}, {}, None),
        ({}, {"Origin": "https://example.org"}, "foreign-origin"),
        ({}, {"Host": "rebound.example"}, "unknown-host"),
        ({}, {"Host": "localhost:8081"}, None),
        ({"host": "0.0.0.0"}, {}, "administration-closed"),  # noqa: S104 - refused is what is tested
        ({"host": "192.0.2.1"}, {}, "administration-closed"),
    ],
)
def test_without_keys_activation_is_for_this_machine(
    remote_policy: Serve, settings: dict[str, str], headers: dict[str, str], refusal: str | None
) -> None:
    with remote_policy(**settings) as url:
        reply = post(f"{url}/v1/policies/policy-b/activate", headers=headers)
        if refusal is None:
            assert reply.status_code == 200
        else:
            problem(reply, 403, refusal)
        version = post(f"{url}/v1/cgp", json=QUESTION).json()["version"]
        assert version == ("policy-b" if refusal is None else "policy-a")


def test_with_keys_activation_is_for_administrators(remote_policy: Serve, tmp_path: Path) -> None:
    keys = keys_at(tmp_path / "keys.json", user="ask", admin="admin")
    with remote_policy(api_keys=tmp_path / "keys.json", host="192.0.2.1") as url:
        problem(post(f"{url}/v1/policies/policy-b/activate"), 401, "key-required")
        problem(post(f"{url}/v1/policies/policy-b/activate", headers=bearer(keys["user"])), 403, "key-lacks-scope")
        asked = post(f"{url}/v1/cgp", json=QUESTION, headers=bearer(keys["user"]))
        assert asked.json()["version"] == "policy-a"
        assert post(f"{url}/v1/policies/policy-b/activate", headers=bearer(keys["admin"])).status_code == 200


@pytest.mark.parametrize("version", ["nobody", "..%2Fpolicy-a", "a" * 300, "%00"])
def test_activating_what_is_not_there_is_not_found(standing: Standing, version: str) -> None:
    assert post(f"{standing.url}/v1/policies/{version}/activate").status_code == 404
