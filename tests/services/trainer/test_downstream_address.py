"""Addresses of the downstream model, looked at before anything is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.trainer.downstream_address import check_downstream
from services.trainer.errors import KeyRefusedError, RunError, WrongAddressError
from services.trainer.grpo.connection import Connection, ConnectionSettings
from tests.support.openai_app import ScriptedServer
from tests.support.servers import free_port, running
from trustvqa.cli.learning.train import _check_downstream


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(ScriptedServer().app) as url:
        yield url


def test_the_api_itself_is_fine(url: str) -> None:
    check_downstream(f"{url}/v1")
    check_downstream(f"{url}/v1/", SecretStr("a-key"))


@pytest.mark.parametrize("beside", ["", "/", "/v1/models", "/v1/chat/completions", "/chat/completions"])
def test_an_address_beside_the_api_is_told_the_right_one(url: str, beside: str) -> None:
    with pytest.raises(WrongAddressError) as refused:
        check_downstream(f"{url}{beside}")
    assert refused.value.better == f"{url}/v1"
    assert str(refused.value) == f"the downstream model's API is at {url}/v1, not at {url}{beside}"


def test_training_says_so_before_it_begins(url: str, tmp_path: Path) -> None:
    settings = ConnectionSettings(downstream_url=url, registry=tmp_path, data=tmp_path, runs=tmp_path)
    with pytest.raises(RunError, match=rf"is at {url}/v1, not at {url}: name it with --downstream-url {url}/v1"):
        _check_downstream(Connection.of(settings), settings)


def test_a_server_without_a_list_of_models_is_left_to_its_replies() -> None:
    with running(Starlette(routes=[Route("/v1/chat/completions", _ok, methods=["POST"])])) as url:
        check_downstream(f"{url}/v1")


def test_one_that_wants_a_key_is_told_from_one_that_is_away() -> None:
    def models(request: Request) -> Response:
        known = request.headers.get("Authorization") == "Bearer right"
        return JSONResponse({"data": []}, 200 if known else 401)

    with running(Starlette(routes=[Route("/v1/models", models)])) as url:
        check_downstream(f"{url}/v1", SecretStr("right"))
        with pytest.raises(KeyRefusedError):
            check_downstream(f"{url}/v1", SecretStr("wrong"))
        with pytest.raises(WrongAddressError):
            check_downstream(url)
    with pytest.raises(httpx.ConnectError):
        check_downstream(f"http://127.0.0.1:{free_port()}/v1")


def _ok(_: Request) -> Response:
    return JSONResponse({})
