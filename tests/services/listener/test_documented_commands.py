"""The commands of docs/hospital.md do what the page says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
from fhir.resources.bundle import Bundle
from pydicom import dcmread

from services.listener.rules import read_rules
from tests.services.listener.conftest import ROOT
from tests.services.listener.orthanc import Orthanc, slices
from tests.support.servers import free_port
from tests.support.waiting import wait_until

PAGE = (ROOT / "docs" / "hospital.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_page_work(orthanc: Orthanc, gateway_url: str, tmp_path: Path) -> None:
    root = orthanc.url.removesuffix("/dicom-web")
    asking, sending, listening, receiving = [
        each.replace("http://127.0.0.1:8080", gateway_url).replace("http://127.0.0.1:8042", root)
        for each in blocks("sh")
    ]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TRUSTVQA_LISTENER_STUDY_DAYS": "0",
        "TRUSTVQA_LISTENER_PORT": str(free_port()),
    }

    def run(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-euc", script]
        given = {**environment, **variables}
        return subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=120)

    files = slices(2)
    (tmp_path / "slice.dcm").write_bytes(files[0])
    orthanc.store(*files)
    done = run(asking)
    assert done.returncode == 0, done.stderr
    bundle = json.loads((tmp_path / "answer.json").read_bytes())
    Bundle.model_validate(bundle)
    assert dcmread(tmp_path / "report.dcm").Modality == "SR"

    done = run(sending, ID=bundle["entry"][0]["resource"]["id"])
    assert done.returncode == 0, done.stderr
    assert len(orthanc.reports()) == 1

    told = (
        "from services.listener.settings import ListenerSettings as S; print(S().store_port, sorted(S().store_callers))"
    )
    done = run(f"{receiving}\n{shlex.quote(sys.executable)} -c '{told}'", PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "11112 ['CT_ROOM_1', 'ORTHANC']"
    assert "trustvqa" in httpx.get(f"{root}/modalities", timeout=10).json()

    [rules] = blocks("yaml")
    (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
    with (tmp_path / "log").open("wb") as log:
        listener = subprocess.Popen(
            ["bash", "-euc", f"exec {listening}"], cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
        try:
            wait_until(lambda: listener.poll() is not None or len(orthanc.reports()) == 3, 90)
            assert listener.poll() is None, (tmp_path / "log").read_text()
        finally:
            listener.terminate()
            listener.wait(30)


def test_the_example_of_rules_is_that_of_the_page(tmp_path: Path) -> None:
    [text] = blocks("yaml")
    (tmp_path / "rules.yaml").write_text(text, encoding="utf-8")
    assert read_rules(tmp_path / "rules.yaml") == read_rules(ROOT / "configs" / "listener" / "rules.example.yaml")
