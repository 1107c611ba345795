"""The shipped calibrators and guards fit the answers of the shipped stack, as configs/embedded.yaml describes it."""

from __future__ import annotations

from pathlib import Path

import yaml

from prompt4trust.calibration import CalibrationKey, CalibratorArtifact
from prompt4trust.estimators import ESTIMATORS
from prompt4trust.models import Sampling
from prompt4trust.selection import CalibratorReference, GuardArtifact
from services.gateway.settings import GatewaySettings
from tests.support.calibration_keys import decoding_of

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "models"
CONFIG = yaml.safe_load((ROOT / "configs" / "embedded.yaml").read_text())
GATEWAY = GatewaySettings(**CONFIG["gateway"])
# Where one of these fails the shipped evidence is to be made anew: docs/shipped-evidence.md says how.


def key_of(estimator: str) -> CalibrationKey:
    """The calibration key of an answer of the shipped gateway."""
    sampling = Sampling(GATEWAY.temperature, GATEWAY.top_p, GATEWAY.top_k, GATEWAY.max_tokens)
    return CalibrationKey(
        downstream=GATEWAY.downstream_model,
        policy=CONFIG["policy"]["version"] if ESTIMATORS[estimator].needs_policy else None,
        estimator=estimator,
        answer_template=GATEWAY.answer_template,
        decoding=decoding_of(estimator, sampling).as_sent(takes_top_k=GATEWAY.vendor_parameters),
        picture_preparation=GATEWAY.picture_preparation,
    )


def test_every_method_that_the_gateway_offers_has_a_calibrator() -> None:
    held = [CalibratorArtifact.load(path) for path in sorted((SHIPPED / "calibrators").glob("*.json"))]
    for name in GATEWAY.methods:
        assert any(each.applies_to(key_of(name)) for each in held), key_of(name).line
    conditions = {(each.key.picture_preparation, each.key.decoding) for each in held}
    assert conditions == {(GATEWAY.picture_preparation, decoding_of("cgp"))}  # those of the other policy as well


def test_the_guards_are_of_the_calibrators_that_ship() -> None:
    held = [CalibratorArtifact.load(path) for path in sorted((SHIPPED / "calibrators").glob("*.json"))]
    guards = [GuardArtifact.load(path) for path in sorted((SHIPPED / "guards").glob("*.json"))]
    assert {each.key for each in guards} == {key_of("cgp"), key_of("cgp+logprob")}
    for guard in guards:
        assert guard.calibrator in [CalibratorReference.of(each) for each in held if each.applies_to(guard.key)]
