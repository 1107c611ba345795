"""The vllm engine: the command line that this process becomes. Real servers are in tests/vllm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from services.downstream.settings import DownstreamSettings
from services.downstream.vllm import vllm_argv, vllm_environment

ROOT = Path(__file__).resolve().parents[3]


def option(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]


def test_the_command_line_says_what_the_settings_say() -> None:
    settings = DownstreamSettings(
        engine="vllm",
        model_path="some/model",
        model="eye",
        host="0.0.0.0",  # noqa: S104 - nothing listens
        port=9000,
        dtype="bfloat16",
        max_batch=64,
        max_images=2,
        max_model_len=4096,
        shutdown_grace_s=12.5,
        vllm_command="/opt/vllm",
        vllm_args=("--enforce-eager",),
    )
    argv = vllm_argv(settings)
    assert argv[:3] == ["/opt/vllm", "serve", "some/model"]
    assert option(argv, "--served-model-name") == "eye"
    assert (option(argv, "--host"), option(argv, "--port")) == ("0.0.0.0", "9000")  # noqa: S104
    assert option(argv, "--dtype") == "bfloat16"
    assert option(argv, "--max-num-seqs") == "64"
    assert option(argv, "--max-model-len") == "4096"
    assert option(argv, "--limit-mm-per-prompt") == '{"image": 2, "video": 0}'
    assert option(argv, "--generation-config") == "vllm"
    assert option(argv, "--shutdown-timeout") == "13"
    assert argv[-1] == "--enforce-eager"


def test_no_host_is_asked_for_images_unless_named() -> None:
    assert option(vllm_argv(DownstreamSettings(engine="vllm")), "--allowed-media-domains").endswith(".invalid")
    named = vllm_argv(DownstreamSettings(engine="vllm", image_hosts=frozenset({"b.org", "a.org"})))
    place = named.index("--allowed-media-domains")
    assert named[place + 1 : place + 3] == ["a.org", "b.org"]


def test_the_environment_reports_nothing_and_keeps_what_is_set() -> None:
    made = vllm_environment(DownstreamSettings(), {"PATH": "/bin", "DO_NOT_TRACK": "0"})
    assert made["PATH"] == "/bin"
    assert made["DO_NOT_TRACK"] == "0"
    assert made["VLLM_NO_USAGE_STATS"] == "1"
    assert made["VLLM_MEDIA_URL_ALLOW_REDIRECTS"] == "0"


def run_service(command: str, *, port: int = 1, **more: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "TRUSTVQA_DOWNSTREAM_ENGINE": "vllm",
        "TRUSTVQA_DOWNSTREAM_VLLM_COMMAND": command,
        "TRUSTVQA_DOWNSTREAM_PORT": str(port),
        **more,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "services.downstream"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_process_becomes_the_program(tmp_path: Path) -> None:
    program = tmp_path / "vllm"
    program.write_text('#!/bin/sh\necho "$$ $@"\n')
    program.chmod(0o755)
    process = run_service(str(program), port=9123)
    output, _ = process.communicate(timeout=60)
    assert output.startswith(f"{process.pid} serve ")
    assert "--port 9123" in output
    assert process.returncode == 0


def test_a_missing_program_is_told_with_the_way_out() -> None:
    process = run_service("no-such-vllm")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "TRUSTVQA_DOWNSTREAM_VLLM_COMMAND" in output
    assert "Traceback" not in output
