"""Tokens over real HTTP, checked with keys that a real issuer serves: who is let in, and every way not to be."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from services.common.auth.tokens.subjects import SubjectNames
from tests.services.common.auth.test_authenticator import demo, problem
from tests.services.common.auth.tokens.bad_tokens import cases, made
from tests.services.common.auth.tokens.issuer import AUDIENCE, SUBJECT_SECRET, Issuer, ec_key, rsa_key, serving_issuer
from tests.support.keys import bearer, keys_at
from tests.support.servers import running
from tests.support.settings import DemoSettings


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with serving_issuer() as found:
        yield found


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    return path, keys_at(path)


@pytest.fixture(scope="module")
def client(issuer: Issuer, keys: tuple[Path, dict[str, str]]) -> Iterator[httpx.Client]:
    app = demo(api_keys=keys[0], host="0.0.0.0", **issuer.settings)  # noqa: S104 - the setting
    with running(app) as url, httpx.Client(base_url=url, timeout=20) as http:
        yield http


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("trustvqa:ask", {"/ask"}),
        ("openid profile trustvqa:ask trustvqa:feedback", {"/ask", "/inner/feedback", "/inner/both"}),
        ("trustvqa:metrics", {"/metrics"}),
        ("trustvqa:admin", {"/ask", "/inner/feedback", "/inner/both", "/metrics", "/things/x", "/forgotten"}),
        ("user/ImagingStudy.rs", {"/ask"}),
        ("user/ImagingStudy.read", {"/ask"}),
        ("system/*.read", {"/ask"}),
        ("user/*.cruds", {"/ask", "/inner/feedback", "/inner/both"}),
        ("user/Observation.cud", {"/inner/feedback"}),
        ("system/Observation.u", set()),
        ("patient/*.cruds", set()),
        ("user/ImagingStudy.r", set()),
        ("user/ImagingStudy.rs?status=available", set()),
        ("TRUSTVQA:ASK", set()),
        ("", set()),
        (None, set()),
    ],
)
def test_a_token_opens_what_its_scopes_say(
    client: httpx.Client, issuer: Issuer, scope: str | None, allowed: set[str]
) -> None:
    token = issuer.token(scope)
    for path in ("/ask", "/inner/feedback", "/inner/both", "/metrics", "/things/x", "/forgotten"):
        reply = client.request("POST" if path == "/ask" else "GET", path, headers=bearer(token))
        if path in allowed:
            assert reply.status_code == 200, reply.text
        else:
            found = problem(reply, 403, "token-lacks-scope")
            assert reply.headers["WWW-Authenticate"].startswith('Bearer error="insufficient_scope", scope="')
            assert found["scope"] in found["detail"]
    assert client.get("/open", headers=bearer(token)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"key_id": "ec-1"},
        {"algorithm": "PS384"},
        {"key_id": None, "key": ec_key()},
        {"header": {"typ": "at+jwt"}},
        {"aud": ["account", AUDIENCE]},
        {"scope": None, "scp": "openid trustvqa:ask"},
        {"scope": None, "scp": ["openid", "trustvqa:ask", 7]},
    ],
)
def test_tokens_of_all_forms_are_taken(client: httpx.Client, issuer: Issuer, changes: dict[str, Any]) -> None:
    assert client.post("/ask", headers=bearer(issuer.token(**changes))).status_code == 200


def test_clocks_may_differ_a_little(client: httpx.Client, issuer: Issuer) -> None:
    now = int(time.time())
    shifted: list[dict[str, Any]] = [{"exp": now - 5}, {"nbf": now + 10}, {"iat": now + 10}]
    for changes in shifted:
        assert client.post("/ask", headers=bearer(issuer.token(**changes))).status_code == 200


@pytest.mark.parametrize(("case", "ground"), cases())
def test_a_bad_token_is_refused_for_its_own_reason(
    client: httpx.Client, issuer: Issuer, keys: tuple[Path, dict[str, str]], case: str, ground: str
) -> None:
    token = made(issuer, case)
    with capture_logs() as logs:
        reply = client.post("/ask", headers=bearer(token), content=b"x")
    found = problem(reply, 401, "token-refused")
    challenge = reply.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", error_description="')
    assert [line["reason"] for line in logs if line["event"] == "refused"] == [ground]
    for told in (json.dumps(found), challenge, json.dumps(logs, default=str)):
        assert "anna" not in told
        assert all(piece not in told for piece in token.split(".") if len(piece) > 8)
    counted = client.get("/metrics", headers=bearer(keys[1]["metrics"])).text
    assert f'api_key_refusals_total{{reason="{ground}"}}' in counted


def test_keys_are_taken_as_before_and_what_is_neither_is_told_of_both(
    client: httpx.Client, keys: tuple[Path, dict[str, str]]
) -> None:
    assert client.post("/ask", headers=bearer(keys[1]["ask"])).status_code == 200
    problem(client.post("/ask", headers=bearer(keys[1]["feedback"])), 403, "key-lacks-scope")
    problem(client.post("/ask", headers=bearer("wrong")), 401, "key-refused")
    assert "access token" in problem(client.post("/ask"), 401, "key-required")["detail"]


def test_a_subject_is_known_by_a_keyed_hash(
    client: httpx.Client, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    import structlog

    structlog.configure(processors=[structlog.contextvars.merge_contextvars, structlog.processors.JSONRenderer()])
    try:
        for subject in ("anna", "anna", "berta"):
            client.post("/ask", headers=bearer(issuer.token(sub=subject)))
    finally:
        structlog.reset_defaults()
    out = capsys.readouterr().out
    lines = [json.loads(line) for line in out.splitlines()]
    names = SubjectNames(SUBJECT_SECRET)
    anna, berta = names.of(issuer.url, "anna"), names.of(issuer.url, "berta")
    assert [line["token"] for line in lines if line["event"] == "asked"] == [anna, anna, berta]
    assert "anna" not in out
    assert names.of("https://other.example", "anna") != anna


def test_health_and_metrics_show_the_issuer(client: httpx.Client, keys: tuple[Path, dict[str, str]]) -> None:
    ready = client.get("/health/ready").json()
    assert ready["dependencies"]["token_issuers"] == {"ok": True, "required": False, "detail": ""}
    told = client.get("/metrics", headers=bearer(keys[1]["metrics"])).text
    assert "issuer_keys 2.0" in told
    assert 'issuer_keys_readings_total{outcome="read"}' in told


def test_an_issuer_alone_closes_a_service() -> None:
    with serving_issuer() as issuer, running(demo(**issuer.settings)) as url, httpx.Client(base_url=url) as http:
        for path in ("/inner/feedback", "/things/x", "/metrics"):
            problem(http.get(path), 401, "key-required")
        problem(http.post("/ask", headers=bearer("tvqa_00000000_" + "a" * 43)), 401, "key-refused")
        assert http.post("/ask", headers=bearer(issuer.token())).status_code == 200
        # Who shows a token is not refused as a page of another site would be.
        headers = {**bearer(issuer.token()), "Origin": "https://app.example"}
        assert http.post("/ask", headers=headers).status_code == 200


def test_keys_of_an_issuer_are_named_without_discovery() -> None:
    with serving_issuer() as issuer:
        settings = {**issuer.settings, "oidc_jwks_url": f"{issuer.url}/keys"}
        address, issuer.url = issuer.url, "https://login.hospital.example"
        with running(demo(**{**settings, "oidc_issuer": issuer.url})) as url, httpx.Client(base_url=url) as http:
            assert http.post("/ask", headers=bearer(issuer.token())).status_code == 200
            problem(http.post("/ask", headers=bearer(issuer.token(iss=address))), 401, "token-refused")


def test_a_key_that_comes_later_is_taken_and_one_that_went_is_not() -> None:
    with serving_issuer() as issuer:
        app = demo(oidc_refresh_s=0.2, oidc_unknown_key_s=1, **issuer.settings)
        with running(app) as url, httpx.Client(base_url=url) as http:
            old = issuer.token()
            assert http.post("/ask", headers=bearer(old)).status_code == 200
            issuer.keys = {"rsa-2": rsa_key("second")}
            assert http.post("/ask", headers=bearer(issuer.token(key_id="rsa-2"))).status_code == 200
            # A signature by the new key under the old one's name, and the old key itself.
            problem(http.post("/ask", headers=bearer(old)), 401, "token-refused")
            mixed = issuer.token(key=rsa_key("second"), key_id="rsa-1")
            problem(http.post("/ask", headers=bearer(mixed)), 401, "token-refused")


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": "https://login.example"},
        {"oidc_issuer": "https://login.example", "oidc_audience": AUDIENCE},
        {"oidc_issuer": "https://login.example", "oidc_audience": AUDIENCE, "oidc_subject_secret": "short"},
        {"oidc_issuer": "http://login.example", "oidc_audience": AUDIENCE, "oidc_subject_secret": SUBJECT_SECRET},
        {"oidc_jwks_url": "http://login.example/keys"},
        {"oidc_jwks_url": "https://user@login.example/keys"},
        {"oidc_algorithms": ("HS256",)},
        {"oidc_algorithms": ("none",)},
        {"oidc_algorithms": ()},
        {"oidc_scopes": {"openid": {"everything"}}},
    ],
)
def test_settings_that_would_let_in_too_much_stop_the_start(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DemoSettings(**settings)


def test_the_secret_is_kept_out_of_sight() -> None:
    assert SUBJECT_SECRET not in repr(DemoSettings(oidc_subject_secret=SUBJECT_SECRET))
