"""An audit that could not be made is never a clean one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from deploy.audit import CLEAN, UNKNOWN, VULNERABLE, ask, locked_everywhere, requirements_of, verdict
from deploy.lock import Pin
from tests.support.servers import free_port

FAULT = {
    "id": "TEST-2026-1",
    "aliases": ["CVE-2026-0001"],
    "summary": "Bad.",
    "affected": [
        {
            "package": {"name": "harmful", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


@contextmanager
def vulnerability_list() -> Iterator[str]:
    """A list that speaks OSV's protocol, which pip-audit asks one package at a time."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = [FAULT] if asked["package"]["name"] == "harmful" else []
            content = json.dumps({"vulns": found} if found else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def osv(url: str) -> tuple[str, ...]:
    return ("--vulnerability-service", "osv", "--osv-url", url)


def test_what_is_known_is_told_and_a_clean_lock_is_clean() -> None:
    with vulnerability_list() as url:
        status, said = verdict(ask(["harmful==1.0", "harmless==2.0"], *osv(url)))
        assert (status, "harmful 1.0: " in said, "mended in 1.1" in said) == (VULNERABLE, True, True), said
        assert "CVE-2026-0001" in said
        clean = verdict(ask(["harmless==2.0"], *osv(url)))
    assert clean == (CLEAN, "1 packages looked up: no known vulnerabilities")


def test_a_list_that_cannot_be_reached_is_no_clean_audit_and_its_address_is_not_told() -> None:
    status, said = verdict(ask(["harmless==2.0"], *osv(f"http://127.0.0.1:{free_port()}/v1/query")))
    assert status == UNKNOWN
    assert said.startswith("not audited: ")
    assert "http://" not in said


def test_a_list_that_is_too_slow_is_no_clean_audit_either() -> None:
    assert verdict(ask(["harmless==2.0"], patience_s=0.01)) == (UNKNOWN, "not audited: it took more than 0.01 s")


@pytest.mark.parametrize(
    "packages",
    [[], [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "Dependency not found"}]],
    ids=["none", "skipped"],
)
def test_what_pip_audit_skipped_was_not_audited(packages: list[dict[str, Any]]) -> None:
    status, said = verdict({"dependencies": packages})
    assert (status, said) == (
        UNKNOWN,
        f"not audited: of {len(packages)} packages the list could be asked about {len(packages[:1])}",
    )


def test_everything_that_is_locked_is_looked_up_once_a_version() -> None:
    asked = requirements_of(locked_everywhere())
    assert len(asked) == len(set(asked)) > 200
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.!-]+", each) for each in asked)
    assert {"torch", "uv", "vllm"} <= {each.partition("==")[0] for each in asked}
    both = requirements_of([{"a": Pin("a", "1+cpu", [])}, {"a": Pin("a", "1", [])}, {"a": Pin("a", "2", [])}])
    assert both == ["a==1", "a==2"]
