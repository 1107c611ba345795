"""Evidence fits what it vouches for: the same decoding and the same preparation of pictures, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from prompt4trust.calibration import CalibrationKey
from prompt4trust.calibration.artifact import UNRECORDED
from prompt4trust.models import Decoding
from prompt4trust.pictures import PREPARATION_VERSION, PicturePreparation
from services.common.registry.directory import Registry
from tests.services.gateway.answering.test_selection import make_guard
from tests.services.gateway.answering.test_shift import make_reference
from tests.services.gateway.checks import body
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway, make_calibrator
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import decoding_of, whole_key

CGP = whole_key(downstream=MODEL, policy="policy-1", estimator="cgp", answer_template=TEMPLATE)


def publish(root: Path, **changes: Any) -> Registry:
    """A registry with a calibrator and a guard of default decoding, or of a key that differs from that."""
    registry, update = Registry(root), {"key": CGP.model_copy(update=changes)}
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", right=0.9).model_copy(update=update))
    registry.guards.publish(make_guard().model_copy(update=update))
    return registry


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evidence")


@pytest.fixture(autouse=True)
def emptied(root: Path) -> None:
    """Nothing is left in the gateway's registry of what an earlier test put there."""
    for path in root.glob("*/*.json"):
        path.unlink()


@pytest.fixture(scope="module")
def gateway(make_gateway: MakeGateway, root: Path) -> Iterator[httpx.Client]:
    """A gateway of default decoding on a registry that a test fills."""
    with (
        make_gateway(registry=root, methods=("cgp", "consistency")) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        yield client


def ask(client: httpx.Client, method: str = "cgp") -> dict[str, Any]:
    response = client.post("/vqa", json=body(method=method, max_risk=0.1))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def assert_nothing_promised(reply: dict[str, Any], *differences: str) -> None:
    told = ", ".join(differences)
    calibration, basis = reply["calibration"], reply["decision_basis"]
    assert (calibration["calibrated"], basis["guarantee"], reply["option_set"]) == (False, False, None)
    assert (reply["decision"], basis["code"]) == ("defer", "not-calibrated")
    assert calibration["reason"] == (
        f"no calibrator fits this answer: platt-cgp was made from answers that came about otherwise ({told})"
    )
    assert basis["reason"] == (
        f"A person should answer: {calibration['reason']}. Nothing can be guaranteed: guard-cgp was made from answers "
        f"that came about otherwise ({told})."
    )
    assert "calibrator" in reply["degraded"]


def test_evidence_of_the_same_decoding_and_preparation_is_used(
    gateway: httpx.Client, upstream: Upstream, root: Path
) -> None:
    publish(root)
    reply = ask(gateway)
    assert (reply["calibration"]["calibrated"], reply["decision_basis"]["guarantee"]) == (True, True)


def test_of_several_guards_one_that_fits_the_live_calibrator_is_used(
    gateway: httpx.Client, upstream: Upstream, root: Path
) -> None:
    """A release adds its calibrator and guard to a registry, where others may be live."""
    registry, own = Registry(root), make_calibrator("cgp", "policy-1", right=0.9)
    released = make_calibrator("cgp", "policy-1", right=0.8, name="released")
    for days, calibrator in enumerate((own, released)):
        guard = make_guard(calibrator=calibrator, name=f"guard-of-{calibrator.name}")
        registry.guards.publish(guard.model_copy(update={"created": own.created + timedelta(days)}))
    for days, live in enumerate((released, own)):  # the newest calibrator is the live one
        registry.calibrators.publish(live.model_copy(update={"created": own.created + timedelta(days)}))
        reply = ask(gateway)
        assert (reply["calibration"]["calibrator"], reply["decision_basis"]["guarantee"]) == (live.name, True)
        assert reply["decision_basis"]["evidence"]["guard"] == f"guard-of-{live.name}"
    (root / "guards" / f"guard-of-{own.name}.json").unlink()
    assert ask(gateway)["decision_basis"]["guarantee"] is False


@pytest.mark.parametrize(
    ("part", "change", "difference"),
    [
        ("decoding", {"temperature": 1.5}, "temperature 1.5 there, 0 here"),
        ("decoding", {"top_p": 0.9}, "top_p 0.9 there, 1 here"),
        ("decoding", {"top_k": 50}, "top_k 50 there, 0 here"),
        ("decoding", {"top_k": None}, "top_k none there, 0 here"),
        ("decoding", {"max_tokens": 64}, "max_tokens 64 there, 256 here"),
        ("decoding", {"samples": 21}, "samples 21 there, none here"),
        ("picture_preparation", {"version": 99}, f"picture_version 99 there, {PREPARATION_VERSION} here"),
        ("picture_preparation", {"max_side": 512}, "picture_max_side 512 there, 1024 here"),
    ],
)
def test_evidence_of_another_decoding_or_preparation_promises_nothing(
    gateway: httpx.Client, upstream: Upstream, root: Path, part: str, change: dict[str, Any], difference: str
) -> None:
    publish(root, **{part: getattr(CGP, part).model_copy(update=change)})
    assert_nothing_promised(ask(gateway), difference)


def test_a_gateway_that_asks_otherwise_promises_nothing_and_records_how_it_asked(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = publish(tmp_path)
    later = PREPARATION_VERSION + 1
    monkeypatch.setattr("prompt4trust.pictures.preparation.PREPARATION_VERSION", later)
    otherwise = {"temperature": 1.5, "top_p": 0.9, "vendor_parameters": False, "max_tokens": 64, "max_image_side": 512}
    with (
        make_gateway(registry=registry.root, **otherwise) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        reply = ask(client)
        stored = client.get(f"/vqa/{reply['id']}").json()
    assert_nothing_promised(
        reply,
        "temperature 0 there, 1.5 here",
        "top_p 1 there, 0.9 here",
        "top_k 0 there, none here",
        "max_tokens 256 there, 64 here",
        f"picture_version {PREPARATION_VERSION} there, {later} here",
        "picture_max_side 1024 there, 512 here",
    )
    assert CalibrationKey.model_validate(stored["pair"]) == CGP.model_copy(
        update={
            "decoding": Decoding(temperature=1.5, top_p=0.9, top_k=None, max_tokens=64),
            "picture_preparation": PicturePreparation(version=later, max_side=512),
        }
    )


def test_a_reference_of_other_pictures_is_not_compared_with(
    gateway: httpx.Client, upstream: Upstream, root: Path
) -> None:
    assert CGP.picture_preparation is not None
    small = CGP.picture_preparation.model_copy(update={"max_side": 512})
    registry = publish(root)
    registry.references.publish(make_reference().model_copy(update={"picture_preparation": small}))
    reply = ask(gateway)
    assert reply["calibration"]["calibrated"]
    assert reply["atypicality"] is None
    assert reply["atypicality_reason"] == (
        "the registry has no reference of the questions that guard-cgp and platt-cgp was made from, its pictures "
        "prepared as they are now"
    )
    registry.references.publish(make_reference())
    assert ask(gateway)["atypicality"] is not None


def test_a_reference_of_an_earlier_descriptor_is_named_and_not_compared_with(
    gateway: httpx.Client, upstream: Upstream, root: Path
) -> None:
    registry = publish(root)
    registry.references.publish(make_reference().model_copy(update={"descriptor": "picture-and-words@1"}))
    reply = ask(gateway)
    assert reply["calibration"]["calibrated"]
    assert reply["atypicality"] is None
    assert reply["atypicality_reason"] == (
        "the registry has no reference of the questions that guard-cgp and platt-cgp was made from, described as "
        "questions are now: make it again with `trustvqa reference`"
    )
    registry.references.publish(make_reference())
    assert ask(gateway)["atypicality"] is not None


def test_another_number_of_samples_is_another_confidence(gateway: httpx.Client, upstream: Upstream, root: Path) -> None:
    registry, decoding = Registry(root), decoding_of("consistency")
    assert (decoding.samples, decoding.temperature) == (21, 0.5)
    made = make_calibrator("consistency", None)
    for samples, fits in ((20, False), (21, True)):
        key = made.key.model_copy(update={"decoding": decoding.model_copy(update={"samples": samples})})
        registry.calibrators.publish(made.model_copy(update={"key": key}))
        calibration = ask(gateway, "consistency")["calibration"]
        assert calibration["calibrated"] is fits
        assert fits or "(samples 20 there, 21 here)" in calibration["reason"]


def test_evidence_of_an_older_version_is_read_and_promises_nothing(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    registry = publish(tmp_path)
    for folder in ("calibrators", "guards"):
        (path,) = (tmp_path / folder).glob("*.json")
        stored = json.loads(path.read_text())
        del stored["pair"]["decoding"], stored["pair"]["picture_preparation"], stored["format"], stored["checksum"]
        path.write_text(json.dumps(stored))
    with make_gateway(registry=registry.root) as url, httpx.Client(base_url=url, timeout=20) as client:
        reply = client.post("/vqa", json=body(method="cgp", max_risk=0.1)).json()
        (listed,) = client.get("/v1/calibrators").json()["calibrators"]
        ready = client.get("/health/ready").json()
        refused = client.post("/v1/calibrators/platt-cgp/activate", json={"who": "dr. x"})
    assert (reply["calibration"]["calibrated"], reply["decision_basis"]["guarantee"]) == (False, False)
    assert reply["calibration"]["reason"] == f"no calibrator fits this answer: platt-cgp {UNRECORDED}"
    assert (listed["live"], listed["warnings"][0]) == (False, f"It {UNRECORDED}.")
    assert "1 of an older kind that fits no answer" in json.dumps(ready)
    assert refused.status_code == 409
