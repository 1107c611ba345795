"""Signing in by the page: what the cookie is, who may use it, and where it leads. Over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest

from services.common.auth import Right, make_key
from services.common.auth.key_file import change_keys
from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.keys import bearer, keys_at
from tests.support.waiting import wait_until

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    return path, keys_at(path, user=["ask", "feedback"], admin="admin", scraper="metrics")


@pytest.fixture(scope="module")
def url(make_gateway: MakeGateway, keys: tuple[Path, dict[str, str]]) -> Iterator[str]:
    with make_gateway(api_keys=keys[0], host="0.0.0.0") as url:  # noqa: S104 - the setting, not where the test listens
        yield url


@pytest.fixture
def http(url: str, upstream: Upstream) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=20) as http:
        yield http


def sign_in(http: httpx.Client, key: str, **more: str) -> httpx.Response:
    return http.post("/sign-in", data={"key": key, **more}, headers=OWN)


def cookie_of(reply: httpx.Response) -> str:
    morsel = SimpleCookie(reply.headers["set-cookie"])["trustvqa_key"]
    assert (morsel["httponly"], morsel["samesite"].lower(), morsel["path"]) == (True, "strict", "/")
    return morsel.value


def test_pages_lead_to_the_sign_in_and_programs_are_told(http: httpx.Client) -> None:
    for path, place in (("/", "/sign-in"), ("/calibration", "/sign-in?next=%2Fcalibration"), ("/vqa/x", "/sign-in")):
        reply = http.get(path, headers=BROWSER)
        assert (reply.status_code, reply.headers["location"]) == (303, place)
        assert_problem(http.get(path), 401, "key-required")
    assert_problem(http.post("/vqa", headers=BROWSER, json={}), 401, "key-required")
    page = http.get("/sign-in")
    assert page.status_code == 200
    assert 'type="password"' in page.text
    assert "<script" not in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert http.get("/static/page.css").status_code == 200


def test_who_signed_in_asks_reviews_and_signs_out(http: httpx.Client, keys: tuple[Path, dict[str, str]]) -> None:
    reply = sign_in(http, f" {keys[1]['user']}\n", next="/calibration")
    assert (reply.status_code, reply.headers["location"]) == (303, "/calibration")
    assert cookie_of(reply) == keys[1]["user"]
    assert "secure" not in reply.headers["set-cookie"].lower()
    assert http.get("/", headers=BROWSER).status_code == 200
    assert http.get("/v1/about").json()["signed_in"] == "user"
    answer = http.post("/vqa", json=body(), headers=OWN).json()
    said = http.post(f"/vqa/{answer['id']}/feedback", json={"who": "x", "right": True}, headers=OWN)
    assert said.status_code == 201
    assert_problem(http.get("/v1/feedback"), 403, "key-lacks-scope")
    out = http.post("/sign-out", headers=OWN)
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert "trustvqa_key" not in http.cookies
    assert http.get("/", headers=BROWSER).status_code == 303
    # A program is not signed in, whatever it asks by.
    assert http.get("/v1/about", headers=bearer(keys[1]["user"])).json()["signed_in"] is None


@pytest.mark.parametrize(
    ("key", "status", "says"),
    [("", 401, "Enter a key"), ("wrong", 401, "This is no key"), ("scraper", 403, "scope ask"), ("é\0", 401, "no key")],
)
def test_a_key_that_is_not_taken_is_said_to_be_on_the_page(
    http: httpx.Client, keys: tuple[Path, dict[str, str]], key: str, status: int, says: str
) -> None:
    reply = sign_in(http, keys[1].get(key, key), next="/calibration")
    assert reply.status_code == status
    assert says in reply.text
    assert 'value="/calibration"' in reply.text
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    "place", ["https://example.org/", "//example.org", "/vqa/x", "/\\example.org", '"><script>', "calibration"]
)
def test_signing_in_leads_to_pages_of_this_gateway_alone(
    http: httpx.Client, keys: tuple[Path, dict[str, str]], place: str
) -> None:
    assert sign_in(http, keys[1]["user"], next=place).headers["location"] == "/"
    shown = http.get("/sign-in", params={"next": place}).text
    assert 'name="next" value="/"' in shown
    assert "example.org" not in shown


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://{host}"}, False),
        ({"Origin": "http://{host}"}, True),
        ({"Origin": "https://{host}"}, True),
        ({"Origin": "http://example.org"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_the_cookie_changes_things_for_this_gateway_s_own_pages_alone(
    http: httpx.Client, keys: tuple[Path, dict[str, str]], headers: dict[str, str], own: bool
) -> None:
    sent = {name: value.format(host=http.base_url.netloc.decode()) for name, value in headers.items()}
    cookie = {"Cookie": f"trustvqa_key={keys[1]['user']}"}
    reply = http.post("/vqa", json=body(), headers={**sent, **cookie})
    if own:
        assert reply.status_code == 200, reply.text
    else:
        assert_problem(reply, 401, "key-required")
    for path in ("/sign-in", "/sign-out"):
        reply = http.post(path, data={"key": keys[1]["user"]}, headers=sent)
        assert reply.status_code == (303 if own else 403)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 401),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 401),
    ],
)
def test_what_another_site_s_page_loads_by_itself_is_not_given(
    http: httpx.Client, keys: tuple[Path, dict[str, str]], headers: dict[str, str], status: int
) -> None:
    sent = {**headers, "Cookie": f"trustvqa_key={keys[1]['user']}"}
    assert http.get("/calibration.json", headers=sent).status_code == status


def test_behind_tls_the_cookie_is_for_tls(http: httpx.Client, keys: tuple[Path, dict[str, str]]) -> None:
    origin = {"Origin": f"https://{http.base_url.netloc.decode()}"}
    reply = http.post("/sign-in", data={"key": keys[1]["user"]}, headers=origin)
    assert "secure" in reply.headers["set-cookie"].lower()


def test_a_key_shown_as_a_header_goes_before_the_cookie(http: httpx.Client, keys: tuple[Path, dict[str, str]]) -> None:
    sign_in(http, keys[1]["admin"])
    assert_problem(http.get("/v1/feedback", headers=bearer("wrong")), 401, "key-refused")
    assert http.get("/v1/feedback", headers=OWN).status_code == 200


def test_a_form_that_is_too_long_is_not_read(http: httpx.Client) -> None:
    assert_problem(sign_in(http, "x" * 3000), 413, "body-too-large")


def test_a_key_that_is_taken_away_signs_its_holder_out(make_gateway: MakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    text, key = make_key("guest", [Right.ASK], created=datetime.now(UTC))
    _, other = make_key("other", [Right.ASK], created=datetime.now(UTC))
    change_keys(path, lambda _: (key, other))
    with make_gateway(api_keys=path) as url, httpx.Client(base_url=url, timeout=20) as http:
        sign_in(http, text)
        assert http.get("/", headers=BROWSER).status_code == 200
        change_keys(path, lambda _: (other,))
        wait_until(lambda: http.get("/", headers=BROWSER).status_code == 303)


def test_without_keys_there_is_nothing_to_sign_in_to(make_gateway: MakeGateway) -> None:
    with make_gateway() as url, httpx.Client(base_url=url, timeout=20) as http:
        assert http.get("/sign-in").status_code == 404
        assert http.get("/", headers=BROWSER).status_code == 200
        assert http.get("/v1/about").json()["signed_in"] is None
