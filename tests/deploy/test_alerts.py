"""Every alert is raised when it should be and not otherwise, and the operators' page has a section for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.faults import ROOT

RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
CASES = [ROOT / "tests" / "deploy" / name for name in ("alerts.yml", "alerts_week.yml")]
PAGE = ROOT / "docs" / "operations.md"


@cache
def rules() -> dict[str, Any]:
    """Alert -> its rule."""
    [group] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


@pytest.fixture(scope="module")
def promtool() -> str:
    found = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    return found


def judge(promtool: str, folder: Path, changed: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run an alert's cases against its rule as it was changed."""
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "trustvqa", "rules": [changed]}]}))
    files = []
    for path in CASES:
        cases = yaml.safe_load(path.read_text(encoding="utf-8"))
        cases["rule_files"] = ["rules.yml"]
        for group in cases["tests"]:
            group["alert_rule_test"] = [
                case for case in group["alert_rule_test"] if case["alertname"] == changed["alert"]
            ]
        cases["tests"] = [group for group in cases["tests"] if group["alert_rule_test"]]
        if cases["tests"]:
            (folder / path.name).write_text(yaml.safe_dump(cases))
            files.append(folder / path.name)
    return subprocess.run([promtool, "test", "rules", *files], capture_output=True, text=True, timeout=100)


def test_the_alerts_are_raised_when_they_should_be(promtool: str) -> None:
    for arguments in (["check", "rules", str(RULES)], ["test", "rules", *map(str, CASES)]):
        done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", rules())
def test_an_alert_that_is_never_or_always_raised_is_noticed(promtool: str, tmp_path: Path, alert: str) -> None:
    assert judge(promtool, tmp_path, rules()[alert]).returncode == 0
    never = {**rules()[alert], "expr": "vector(1) < 0"}
    always = {key: value for key, value in rules()[alert].items() if key != "for"} | {"expr": "vector(1)"}
    for mutant in (never, always):
        assert judge(promtool, tmp_path, mutant).returncode != 0


def test_every_alert_is_seen_to_be_raised_and_to_be_quiet() -> None:
    raised: set[str] = set()
    quiet: set[str] = set()
    for path in CASES:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for case in group["alert_rule_test"]:
                (raised if case["exp_alerts"] else quiet).add(case["alertname"])
    assert raised == quiet == set(rules())


def sections() -> dict[str, str]:
    """Headings of the operators' page that name alerts -> what stands below them."""
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"^(#{2,4}) (.*)$", text, flags=re.MULTILINE)
    found = dict(zip(parts[2::3], parts[3::3], strict=True))
    return {heading: body for heading, body in found.items() if heading.startswith("Trustvqa")}


def test_every_alert_has_a_section_that_says_what_to_do() -> None:
    found = sections()
    assert set(found) == set(rules())
    for alert, body in found.items():
        labels = re.findall(r"^- \*(\w[\w ]*)\.\*", body, flags=re.MULTILINE)
        assert labels == ["Means", "Likely", "Look at", "Do"], alert
        assert rules()[alert]["labels"]["severity"] in body.split("\n- ")[0], alert


def test_an_alert_leads_to_its_section() -> None:
    for alert, rule in rules().items():
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (ROOT / path) == PAGE
        # As forges make anchors of headings without blanks.
        assert anchor == alert.lower()
        assert alert in sections()
