"""From an archive to the gateway and back: each instance has one report, which says what /vqa says."""

from __future__ import annotations

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from pydicom import Dataset, dcmread

from services.common.pacs.patient_study import PATIENT_AND_STUDY, referenced_instance
from tests.services.gateway.results.sr.reading import values_of
from tests.services.gateway.results.sr.test_report import faults
from tests.services.listener.conftest import RULES, MakeListener, asked
from tests.services.listener.orthanc import PLANTED, Orthanc, slices
from tests.support.waiting import wait_until

COUNT = int(os.environ.get("TRUSTVQA_TEST_SLICES", "10"))
RULE_OF = {"CT": yaml.safe_load(RULES)["rules"][0], "MR": yaml.safe_load(RULES)["rules"][1]}


def check_reports(reports: list[bytes], files: list[bytes], gateway_url: str, tmp_path: Path) -> list[dict[str, Any]]:
    """Each slice has exactly one report, without faults, of its patient and study, that says what /vqa says."""
    sources = {str(dataset.SOPInstanceUID): (dataset, file) for file in files for dataset in [dcmread(BytesIO(file))]}
    about = [str(referenced_instance(dcmread(BytesIO(each)))[2]) for each in reports]
    assert sorted(about) == sorted(sources)
    assert faults(tmp_path, reports) == []
    replies = []
    for uid, report in zip(about, reports, strict=True):
        source, file = sources[uid]
        check_patient(dcmread(BytesIO(report)), source)
        replies.append(asked(gateway_url, file, RULE_OF[str(source.Modality)]))
        check_values(values_of(report), replies[-1])
    return replies


def check_patient(report: Dataset, source: Dataset) -> None:
    for name in PATIENT_AND_STUDY:
        if name in source:
            assert report[name].value == source[name].value, name
    assert report.StudyInstanceUID == source.StudyInstanceUID
    for name in ("InstitutionName", "PatientComments", "OtherPatientIDs"):
        assert name not in report, name
        assert PLANTED[name] not in str(report), name


def check_values(values: dict[str, list[Any]], reply: dict[str, Any]) -> None:
    if reply["decision"] == "answer":
        assert values["decision"] == ["Answer is given"]
        assert set(values["answer"]) == {reply["answer"]["text"]}
        assert values["111012"] == [reply["confidence"]]
    else:
        assert values["decision"] == ["No reliable answer: left to a person"]
        assert "answer" not in values
        assert "111012" not in values


def test_every_instance_has_one_report_whoever_is_killed(
    orthanc: Orthanc, gateway_url: str, make_listener: MakeListener, tmp_path: Path
) -> None:
    files = slices(COUNT)
    with make_listener(orthanc, gateway_url, at_once=1) as listener:
        orthanc.store(*files[: COUNT // 2])
        listener.start()
        listener.wait_for("stored", 1)
        listener.kill()
        orthanc.stop(kill=True)
        listener.start()  # the archive is away
        wait_until(lambda: listener.metric('listener_looks_total{outcome="failed"}') >= 1)
        assert httpx.get(f"{listener.url}/health/ready", timeout=5).status_code == 503
        orthanc.start()
        orthanc.store(*files[COUNT // 2 :])
        listener.wait_for("stored", COUNT // 2)
        listener.kill()
        listener.start()
        listener.wait_for("stored", COUNT)
        looks = listener.metric('listener_looks_total{outcome="done"}')
        wait_until(lambda: listener.metric('listener_looks_total{outcome="done"}') >= looks + 2)
        assert httpx.get(f"{listener.url}/health/ready", timeout=5).status_code == 200
        assert set(httpx.get(f"{listener.url}/version", timeout=5).json()["rules"]) == {"ct-chest", "mr-head"}
        listener.kill()
    replies = check_reports(orthanc.reports(), files, gateway_url, tmp_path)
    assert {reply["decision"] for reply in replies} == {"answer", "defer"}


def test_nothing_of_the_patient_is_kept_on_the_way(
    orthanc: Orthanc,
    gateway_url: str,
    gateway_settings: dict[str, Any],
    make_listener: MakeListener,
    tmp_path: Path,
) -> None:
    orthanc.store(*slices(2))
    with make_listener(orthanc, gateway_url) as listener:
        listener.start()
        listener.wait_for("stored", 2)
        shown = httpx.get(f"{listener.url}/metrics", timeout=5).content
        listener.kill()
    records = Path(str(gateway_settings["records_url"]).removeprefix("sqlite:///"))
    kept = [*records.parent.glob("*.db*"), *(tmp_path / "listener").iterdir(), tmp_path / "listener.log"]
    whole = shown + b"".join(each.read_bytes() for each in kept)
    assert b"ct-chest" in whole
    for value in PLANTED.values():
        assert value.encode() not in whole, value


def test_what_the_gateway_refuses_is_given_up_and_the_rest_goes_on(
    orthanc: Orthanc, gateway_url: str, make_listener: MakeListener
) -> None:
    files = slices(2)
    orthanc.store(*files)
    rules = RULES.replace("method: verbalized\n    max_risk", "method: no-such-method\n    max_risk")
    assert rules != RULES
    with make_listener(orthanc, gateway_url, rules) as listener:
        listener.start()
        listener.wait_for("stored", 1)
        listener.wait_for("given-up", 1)
        assert listener.metric('listener_ended_total{outcome="given-up",rule="mr-head"}') == 1
        listener.kill()
    [report] = orthanc.reports()
    assert dcmread(BytesIO(report)).StudyInstanceUID == dcmread(BytesIO(files[0])).StudyInstanceUID


def test_it_does_not_start_without_rules(tmp_path: Path) -> None:
    environment = {**os.environ, "TRUSTVQA_LISTENER_RULES": str(tmp_path / "absent.yaml")}
    done = subprocess.run(
        [sys.executable, "-m", "services.listener"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "absent.yaml cannot be read" in done.stderr


@pytest.fixture
def stored_answer(orthanc: Orthanc, gateway_url: str) -> tuple[bytes, dict[str, Any]]:
    """A slice in the archive, and the reply about it."""
    [file] = slices(1)
    orthanc.store(file)
    return file, asked(gateway_url, file, RULE_OF["CT"])


def send(answer_id: str, to: str, gateway_url: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from trustvqa.cli.main import app; app()"]
    given = ["send", answer_id, "--to", to, "--gateway", gateway_url]
    return subprocess.run([*program, *given], capture_output=True, text=True, timeout=120)


def test_the_command_sends_a_report_as_often_as_one_likes(
    orthanc: Orthanc, gateway_url: str, stored_answer: tuple[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    file, reply = stored_answer
    for _ in range(2):
        done = send(reply["id"], orthanc.url, gateway_url)
        assert done.returncode == 0, done.stderr
        assert "stored" in done.stdout
    [report] = orthanc.reports()
    check_reports([report], [file], gateway_url, tmp_path)


def test_the_command_says_what_is_wrong(
    orthanc: Orthanc, gateway_url: str, stored_answer: tuple[bytes, dict[str, Any]]
) -> None:
    _, reply = stored_answer
    away = send(reply["id"], "http://127.0.0.1:9/dicom-web", gateway_url)
    assert away.returncode == 1
    assert "cannot be reached" in away.stderr
    unknown = send("00000000-0000-4000-8000-000000000000", orthanc.url, gateway_url)
    assert unknown.returncode == 1
    assert "no record of such an answer" in unknown.stderr
    assert orthanc.reports() == []
