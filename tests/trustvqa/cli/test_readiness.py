"""Dependencies that a service lacks, as its reply of /health/ready has them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.common.http.health import Dependency, Readiness
from trustvqa.cli.readiness import Missing, missing_of


def test_what_is_lacking_is_told_and_what_is_there_is_not() -> None:
    said = Readiness(
        status="not_ready",
        dependencies={
            "model": Dependency(ok=False, detail="it cannot be loaded"),
            "records": Dependency(ok=False, required=False),
            "policy": Dependency(ok=True),
        },
    )
    found = missing_of(httpx.Response(503, text=said.model_dump_json()))
    assert found == [Missing("model", True, "it cannot be loaded"), Missing("records", False, "away")]
    assert [str(each) for each in found] == ["model: it cannot be loaded", "records: away"]


@pytest.mark.parametrize(
    "said", ["<html>", "[]", "{}", '{"dependencies": []}', '{"dependencies": {"x": 1}}', '{"dependencies": {"x": {}}}']
)
def test_another_program_s_reply_is_none_of_these(said: Any) -> None:
    with pytest.raises(ValueError, match=r"readiness|Expecting"):
        missing_of(httpx.Response(200, text=said))
