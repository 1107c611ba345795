"""The stack of containers, started once for all tests of it."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.deploy.containers import SECRET, Stack, checkout
from tests.deploy.faults import SETTINGS
from tests.support.servers import free_port_block

TAG = os.environ.get("STACK_TAG", "local")


def why_not() -> str | None:
    """The reason why there can be no containers here, or None where there can."""
    if not os.environ.get("TRUSTVQA_TEST_DEPLOY"):
        return "containers are started by make test-deploy"
    try:
        for command in (["docker", "info"], ["docker", "compose", "version"]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=30)
            if done.returncode:
                return f"{' '.join(command)}: {done.stderr.strip()}"
    except OSError as error:
        return f"no docker command: {error}"
    for service in SETTINGS:
        image = f"trustvqa/{service}:{TAG}"
        if subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode:
            return f"there is no image {image}: make images"
    return None


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack of a clean clone, on a free port, with a secret in a file; its volumes are removed at the end."""
    if reason := why_not():
        pytest.skip(reason)
    place = checkout(tmp_path_factory.mktemp("clone"))
    secret = place / "deploy" / "secrets" / "policy" / "TRUSTVQA_POLICY_UPSTREAM_API_KEY"
    secret.write_text(SECRET)
    secret.chmod(0o644)
    port = free_port_block(1)
    environment = {"STACK_PORT": str(port), "STACK_TAG": TAG, "COMPOSE_PROFILES": ""}
    stack = Stack(f"trustvqa-test-{secrets.token_hex(4)}", port, environment, place)
    try:
        stack.start()
        yield replace(stack, key=stack.first_key())
    finally:
        stack.compose("down", "--volumes", "--remove-orphans", "--timeout", "10")
