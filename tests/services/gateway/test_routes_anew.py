"""A gateway whose routes FastAPI reads itself: other tests share what it read of them (`share_routes`)."""

from __future__ import annotations

import httpx
import pytest

from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import MakeGateway
from tests.support.servers import read_routes_anew


def test_it_describes_and_answers_as_one_whose_routes_are_shared(
    make_gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for is_shared in (True, False):
        with monkeypatch.context() as patch:
            if not is_shared:
                read_routes_anew(patch)
            with make_gateway() as url, httpx.Client(base_url=url, timeout=20) as client:
                answered = client.post("/vqa", json=body())
                assert answered.status_code == 200, answered.text
                assert_problem(client.post("/vqa", json=body(max_risk="much")), 422, "invalid-request")
                found.append((client.get("/openapi.json").json(), answered.json()["answer"]))
    assert found[0] == found[1]
