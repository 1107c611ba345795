"""Clients as app developers generate them from the documents: they compile, and ask a real gateway a question."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clients.tools import HERE, NODE_MODULES, PYTHON_GENERATOR, by_node, by_python_generator, run
from tests.services.gateway.conftest import MakeGateway, picture
from tests.services.gateway.upstream import Upstream
from tests.support.keys import keys_at
from tests.support.openapi_documents import SERVICES, STORED

DOCUMENTS = {service: STORED / f"{service}.json" for service in SERVICES}
"""That they are what the services serve is tested in tests/services/test_openapi.py."""
KEPT_TYPES = HERE.parents[1] / "build" / "mypy-clients"
IMAGE = base64.b64encode(picture()).decode()
IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for each in pkgutil.walk_packages(package.__path__, f"{name}."):
        importlib.import_module(each.name)
"""


@pytest.fixture
def gateway(make_gateway: MakeGateway, tmp_path: Path, upstream: Upstream) -> Iterator[tuple[str, str]]:
    """A gateway with keys: its address, and a key that may ask."""
    upstream.text = "The answer is B with confidence 90."
    key = keys_at(tmp_path / "keys.json", app="ask")["app"]
    with make_gateway(api_keys=tmp_path / "keys.json") as url:
        yield url, key


def check_reply(said: dict[str, Any]) -> None:
    """Compare what both clients made of the reply: such answers are half right, by the calibrator, so it defers."""
    assert said["calibrated"] is True
    assert said["shown"] is None
    assert "person should answer" in said["reason"]
    assert len(said["id"]) == 36


@by_node
def test_a_linter_finds_nothing() -> None:
    run(NODE_MODULES / ".bin/redocly", "lint", "--config", HERE / "redocly.yaml", *DOCUMENTS.values(), cwd=HERE)


@by_node
def test_the_linter_would_find_something(tmp_path: Path) -> None:
    document = json.loads(DOCUMENTS["policy"].read_text(encoding="utf-8"))
    del document["paths"]["/v1/cgp"]["post"]["security"]
    (tmp_path / "policy.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(AssertionError, match="security-defined"):
        run(
            NODE_MODULES / ".bin/redocly", "lint", "--config", HERE / "redocly.yaml", tmp_path / "policy.json", cwd=HERE
        )


@by_node
def test_a_typescript_client_compiles_and_asks(tmp_path: Path, gateway: tuple[str, str]) -> None:
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    for name in ("package.json", "tsconfig.json", "ask.ts"):
        (tmp_path / name).write_bytes((HERE / name).read_bytes())
    apis = {
        service: {"root": str(path), "x-openapi-ts": {"output": f"./{service}.ts"}}
        for service, path in DOCUMENTS.items()
    }
    (tmp_path / "redocly.yaml").write_text(yaml.safe_dump({"apis": apis}), encoding="utf-8")
    run(NODE_MODULES / ".bin/openapi-typescript", cwd=tmp_path)
    run(NODE_MODULES / ".bin/tsc", cwd=tmp_path)
    program = "import { ask } from './ask.js'; console.log(JSON.stringify(await ask(...process.argv.slice(1))));"
    said = run("node", "--input-type=module", "--eval", program, *gateway, IMAGE, cwd=tmp_path)
    check_reply(json.loads(said))


@by_python_generator
def test_a_python_client_is_typed_and_asks(tmp_path: Path, gateway: tuple[str, str]) -> None:
    options = yaml.safe_load((HERE / "openapi-python-client.yml").read_text(encoding="utf-8"))
    packages = []
    for service, path in DOCUMENTS.items():
        packages.append(f"trustvqa_{service}")
        chosen = tmp_path / f"{service}.yml"
        chosen.write_text(yaml.safe_dump({**options, "package_name_override": packages[-1]}), encoding="utf-8")
        generate = ("generate", "--path", path, "--meta", "none", "--output-path", packages[-1], "--config", chosen)
        run(PYTHON_GENERATOR, *generate, "--fail-on-warning", cwd=tmp_path)
    (tmp_path / "ask.py").write_bytes((HERE / "ask.py").read_bytes())
    run(sys.executable, "-c", IMPORT_ALL, *packages, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    modules = ("--module", "ask", *(part for package in packages for part in ("--package", package)))
    # Generated code casts what need not be. What libraries' types are is kept from run to run: half of mypy's time.
    mypy = ("-m", "mypy", "--strict", "--no-warn-redundant-casts", "--cache-dir", KEPT_TYPES)
    run(sys.executable, *mypy, *modules, cwd=tmp_path)
    check_reply(json.loads(run(sys.executable, "ask.py", *gateway, IMAGE, cwd=tmp_path, PYTHONPATH=str(tmp_path))))
