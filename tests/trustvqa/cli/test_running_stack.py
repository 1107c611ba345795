"""Where commands find the stack that runs on this machine, and that a stack which was killed is not found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from trustvqa.cli.running_stack import announced, as_running, default_address, running_services

ADDRESSES = {
    name: f"http://127.0.0.1:{9080 + n}" for n, name in enumerate(("gateway", "policy", "downstream", "trainer"))
}
_HOLDER = """
import sys, time
from pathlib import Path
from trustvqa.cli.running_stack import announced
with announced({"gateway": "http://127.0.0.1:9080"}, Path(sys.argv[1])):
    print("there", flush=True)
    time.sleep(600)
"""


def test_services_are_found_for_as_long_as_the_stack_runs(tmp_path: Path) -> None:
    file = tmp_path / "var" / "stack.json"
    assert (running_services(file), default_address("trainer", file)) == ({}, "http://127.0.0.1:8083")
    with announced(ADDRESSES, file):
        assert running_services(file) == ADDRESSES
        assert default_address("trainer", file) == "http://127.0.0.1:9083"
        assert as_running("http://127.0.0.1:8082/v1", file) == "http://127.0.0.1:9082/v1"
        assert as_running("http://localhost:8082/v1", file) == "http://127.0.0.1:9082/v1"
        assert as_running("http://127.0.0.1:8000/v1", file) == "http://127.0.0.1:8000/v1"
        assert as_running("https://models.example/v1", file) == "https://models.example/v1"
    assert running_services(file) == {}
    assert as_running("http://127.0.0.1:8082/v1", file) == "http://127.0.0.1:8082/v1"


def test_a_stack_that_was_killed_is_not_found(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    with subprocess.Popen([sys.executable, "-c", _HOLDER, file], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"there\n"
        assert default_address("gateway", file) == "http://127.0.0.1:9080"
        os.kill(holder.pid, signal.SIGKILL)
    assert file.stat().st_size > 0
    wait_until(lambda: running_services(file) == {})


def test_a_second_stack_leaves_the_first_one_s_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    with announced(ADDRESSES, file):
        with announced({"gateway": "http://127.0.0.1:7080"}, file):
            assert default_address("gateway", file) == "http://127.0.0.1:9080"
        assert running_services(file) == ADDRESSES


@pytest.mark.parametrize("text", ["", "[]", "3", '{"gateway"', '{"other": 1}'])
def test_a_file_that_is_none_of_ours_names_no_service(tmp_path: Path, text: str) -> None:
    file = tmp_path / "stack.json"
    with announced(ADDRESSES, file):
        file.write_text(text)
        assert running_services(file) == {}
