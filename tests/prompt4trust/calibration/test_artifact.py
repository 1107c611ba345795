"""The calibrator's file: exact, tied to its pair, whole or absent, and never trusted blindly."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prompt4trust.calibration import (
    FAMILIES,
    CalibrationKey,
    CalibratorArtifact,
    Platt,
    fit_artifact,
    get_family,
    hash_rows,
)
from prompt4trust.calibration.artifact import UNRECORDED
from prompt4trust.metrics import expected_calibration_error
from prompt4trust.models import Decoding
from prompt4trust.pictures import PREPARATION_VERSION, PicturePreparation
from tests.support.calibration_keys import whole_key

PAIR = whole_key(downstream="mini-1", policy="policy-1", estimator="cgp", answer_template="answer-compact@1")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
RANDOM = np.random.default_rng(5)
STATED = RANDOM.integers(70, 101, 300) / 100
CORRECT = RANDOM.random(300) < STATED - 0.25
IDS = [f"q{row}" for row in range(300)]


def fitted(**changes: object) -> CalibratorArtifact:
    settings = {"name": "platt-cgp-1", "family": "platt", "key": PAIR, "dataset": "phantoms/calibration"}
    return fit_artifact(
        STATED,
        CORRECT,
        **(settings | {"clock": lambda: NOON, "resamples": 20, "ids": IDS} | changes),  # type: ignore[arg-type]
    )


ARTIFACT = fitted()


TEMPERATURES = st.sampled_from([0.0, 0.1, 0.1 + 1e-17, 0.30000000000000004, 0.3, 1.0, 1.5])
DECODINGS = st.builds(
    Decoding,
    temperature=TEMPERATURES,
    top_p=st.sampled_from([0.5, 0.95, 1.0]),
    top_k=st.sampled_from([None, 0, 50, 100]),
    max_tokens=st.sampled_from([None, 64, 256]),
    samples=st.sampled_from([None, 20, 21]),
    stop_error=st.sampled_from([None, 0.05, 0.1]),
    counted=st.sampled_from([None, "share-2"]),
)
PREPARATIONS = st.builds(PicturePreparation, version=st.integers(1, 3), max_side=st.sampled_from([512, 1024]))
KEYS = st.builds(
    CalibrationKey,
    downstream=st.sampled_from(["m", "n"]),
    policy=st.sampled_from([None, "p"]),
    estimator=st.sampled_from(["cgp", "consistency"]),
    answer_template=st.sampled_from(["answer@1", "answer@2"]),
    decoding=st.none() | DECODINGS,
    picture_preparation=st.none() | PREPARATIONS,
)


@given(KEYS, KEYS)
def test_a_key_fits_the_very_same_one_alone_and_two_keys_never_read_alike(
    one: CalibrationKey, other: CalibrationKey
) -> None:
    assert (one.line == other.line) == (one == other)
    assert one.fits(other) == (one == other and one.is_whole)
    artifact = ARTIFACT.model_copy(update={"key": one})
    assert artifact.applies_to(other) == one.fits(other)
    assert CalibrationKey.model_validate_json(one.model_dump_json()) == one


@given(KEYS, KEYS)
def test_what_does_not_fit_says_why_where_models_estimator_and_wording_are_the_same(
    one: CalibrationKey, other: CalibrationKey
) -> None:
    named = {"downstream", "policy", "estimator", "answer_template"}
    reason = None if one.fits(other) else other.nearest_misfit([("platt-1", one)])
    if one.fits(other) or one.model_dump(include=named) != other.model_dump(include=named):
        assert reason is None
    elif one.is_whole and other.is_whole:
        assert reason is not None
        assert reason.startswith("platt-1 was made from answers that came about otherwise (")
        assert reason.count(" there, ") == len(one.differences(other)) > 0
    else:
        assert reason == f"platt-1 {UNRECORDED}"


@given(
    KEYS.filter(lambda key: key.is_whole), st.sampled_from([*Decoding.model_fields, *PicturePreparation.model_fields])
)
def test_each_part_of_decoding_and_preparation_counts(key: CalibrationKey, part: str) -> None:
    changed = {
        "temperature": 2.5,
        "top_p": 0.25,
        "top_k": 7,
        "max_tokens": 7,
        "samples": 7,
        "stop_error": 0.3,
        "counted": "share-3",
        "version": 7,
        "max_side": 7,
    }
    assert key.decoding is not None
    assert key.picture_preparation is not None
    where = "decoding" if part in Decoding.model_fields else "picture_preparation"
    other = key.model_copy(update={where: getattr(key, where).model_copy(update={part: changed[part]})})
    assert not key.fits(other)
    (difference,) = key.differences(other)
    assert difference.endswith(f" there, {changed[part]} here")


def test_the_nearest_of_several_misfits_is_named() -> None:
    assert PAIR.decoding is not None
    far = PAIR.model_copy(update={"decoding": PAIR.decoding.model_copy(update={"temperature": 1.0, "top_k": 5})})
    near = PAIR.model_copy(update={"decoding": PAIR.decoding.model_copy(update={"max_tokens": 64})})
    old = PAIR.model_copy(update={"decoding": None})
    reason = PAIR.nearest_misfit([("old", old), ("far", far), ("near", near)])
    assert reason == "near was made from answers that came about otherwise (max_tokens 64 there, 256 here)"
    assert PAIR.nearest_misfit([("b-old", old), ("a-old", old)]) == f"a-old {UNRECORDED}"


def test_a_file_from_before_decoding_was_recorded_is_read_and_fits_nothing(tmp_path: Path) -> None:
    stored = json.loads(ARTIFACT.model_dump_json())
    stored["format"] = 2
    del stored["pair"]["decoding"], stored["pair"]["picture_preparation"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(stored))
    old = CalibratorArtifact.load(path)
    assert old.key.line == "cgp | mini-1 | policy-1 | answer-compact@1"
    assert not old.applies_to(old.key)
    assert not old.applies_to(PAIR)


def test_records_what_it_was_fitted_on_and_what_it_changes() -> None:
    assert ARTIFACT.n == 300
    assert ARTIFACT.created == NOON
    assert ARTIFACT.data_hash == hash_rows(STATED, CORRECT, IDS)
    platt = Platt.fit(STATED, CORRECT)
    assert ARTIFACT.calibrator() == platt
    before, after = ARTIFACT.metrics_before, ARTIFACT.metrics_after
    assert before["ece"]["value"] == expected_calibration_error(STATED, CORRECT)
    assert after["ece"]["value"] == expected_calibration_error(platt.apply(STATED), CORRECT)
    assert ARTIFACT.warnings == []


def test_round_trips_exactly(tmp_path: Path) -> None:
    path = tmp_path / "platt-cgp-1.json"
    ARTIFACT.save(path)
    loaded = CalibratorArtifact.load(path)
    assert loaded == ARTIFACT
    grid = np.linspace(0, 1, 1001)
    assert np.array_equal(loaded.calibrator().apply(grid), ARTIFACT.calibrator().apply(grid))
    assert list(tmp_path.iterdir()) == [path]
    text = json.loads(path.read_text(encoding="utf-8"))
    assert text["method"] == "platt"
    assert text["pair"]["policy"] == "policy-1"


def test_no_bit_of_a_file_flips_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "platt-cgp-1.json"
    ARTIFACT.save(path)
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 7]) + whole[place + 1 :])
        try:
            assert CalibratorArtifact.load(path) == ARTIFACT  # a blank that is another blank now
        except ValueError:
            refused += 1
    assert refused > 0.9 * len(whole)


def test_a_file_that_was_changed_by_hand_is_read_without_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "platt-cgp-1.json"
    ARTIFACT.save(path)
    content = json.loads(path.read_text()) | {"dataset": "another"}
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="changed since it was written"):
        CalibratorArtifact.load(path)
    del content["checksum"]
    path.write_text(json.dumps(content, indent=4))
    assert CalibratorArtifact.load(path).dataset == "another"
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        CalibratorArtifact.load(path)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_survives(slope: float, intercept: float) -> None:
    artifact = ARTIFACT.model_copy(update={"parameters": {"slope": slope, "intercept": intercept}})
    assert CalibratorArtifact.model_validate_json(artifact.model_dump_json()).parameters == artifact.parameters


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("downstream", "mini-2"),
        ("policy", "policy-2"),
        ("policy", None),
        ("estimator", "verbalized"),
        ("answer_template", "answer-compact@2"),
    ],
)
def test_applies_only_to_its_own_pair(part: str, other: str | None) -> None:
    assert ARTIFACT.applies_to(PAIR.model_copy())
    assert not ARTIFACT.applies_to(PAIR.model_copy(update={part: other}))


def test_rows_without_a_verdict_are_left_out() -> None:
    valid = np.arange(300) % 3 != 0
    part = fit_artifact(
        np.where(valid, STATED, np.nan), CORRECT, valid, name="x", family="platt", key=PAIR, dataset="d",
        clock=lambda: NOON, ids=IDS, resamples=5,
    )  # fmt: skip
    assert part.n == 200
    assert part.calibrator() == Platt.fit(STATED[valid], CORRECT[valid])
    assert part.data_hash == hash_rows(STATED[valid], CORRECT[valid], [row for row in IDS if int(row[1:]) % 3])


def test_the_hash_knows_the_rows_and_not_their_order() -> None:
    order = RANDOM.permutation(300)
    assert hash_rows(STATED[order], CORRECT[order], [IDS[i] for i in order]) == hash_rows(STATED, CORRECT, IDS)
    assert hash_rows(STATED, ~CORRECT, IDS) != hash_rows(STATED, CORRECT, IDS)
    assert hash_rows(STATED * 0.5, CORRECT, IDS) != hash_rows(STATED, CORRECT, IDS)
    assert hash_rows([0.5], [True]) != hash_rows([0.5], [False])


def test_warnings_go_with_the_file() -> None:
    inverted = fit_artifact(
        1 - STATED, STATED > 0.85, name="x", family="platt", key=PAIR, dataset="d", clock=lambda: NOON, resamples=5
    )
    assert "inverts the ranking" in inverted.warnings[0]


def test_times_are_kept_in_utc() -> None:
    local = datetime(2026, 1, 2, 14, tzinfo=timezone(timedelta(hours=2)))
    assert fitted(clock=lambda: local).model_dump_json() == ARTIFACT.model_dump_json()
    with pytest.raises(ValidationError, match="timezone"):
        fitted(clock=lambda: datetime(2026, 1, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "unknown calibrator family 'magic'"),
        ({"parameters": {"slope": 1.0}}, "slope and intercept"),
        ({"parameters": {"slope": "steep", "intercept": 0}}, "slope"),
        ({"name": "../escape"}, "name"),
        ({"name": ""}, "name"),
        ({"data_hash": "md5:0"}, "data_hash"),
        ({"extra": 1}, "extra"),
        ({"pair": {"downstream": "mini-1"}}, "pair"),
    ],
)
def test_files_are_checked(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(json.loads(ARTIFACT.model_dump_json()) | change), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        CalibratorArtifact.load(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\x80\x04K\x01.", b"null", b"\xff\xfe"])
def test_what_is_no_artifact_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="CalibratorArtifact"):
        CalibratorArtifact.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.json"):
        CalibratorArtifact.load(tmp_path / "absent.json")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "platt-cgp-1.json"
    ARTIFACT.save(path)
    old = path.read_bytes()

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        fitted(seed=9).save(path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_too_few_rows_make_no_artifact() -> None:
    with pytest.raises(ValueError, match="at least 20"):
        fit_artifact(STATED[:19], CORRECT[:19], name="x", family="platt", key=PAIR, dataset="d", clock=lambda: NOON)
    with pytest.raises(ValueError, match="unknown calibrator family"):
        fitted(family="magic")


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[3] / "models" / "calibrators").glob("*.json")))
def test_what_was_shipped_in_format_1_is_still_read(path: Path) -> None:
    loaded = CalibratorArtifact.load(path)
    assert loaded.name == path.stem
    calibrator, values = loaded.calibrator(), np.linspace(0, 1, 11)
    assert np.ptp(calibrator.apply(values, dict.fromkeys(calibrator.inputs(), values))) > 0


def test_a_file_of_format_1_is_read_as_such() -> None:
    fields = json.loads(ARTIFACT.model_dump_json())
    assert fields["format"] == 4
    for newer in ("format", "choice", "metrics_ideal", "reliability_before", "reliability_after"):
        del fields[newer]
    loaded = CalibratorArtifact.model_validate_json(json.dumps(fields))
    assert loaded.format == 1
    assert loaded.calibrator() == ARTIFACT.calibrator()
    with pytest.raises(ValueError, match="format 5 is not known"):
        CalibratorArtifact.model_validate_json(json.dumps(fields | {"format": 5}))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_survives_its_file_number_for_number(
    tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prompt4trust.calibration.boosted.LEAST_ROWS", 300)
    agreement = RANDOM.integers(0, 21, 300) / 20
    words = {"words_described": np.ones(300), "says:7": RANDOM.integers(0, 2, 300) * 1.0}
    artifact = fitted(name=f"{family}-1", family=family, signals={"agreement": agreement, **words})
    path = tmp_path / f"{family}-1.json"
    artifact.save(path)
    loaded = CalibratorArtifact.load(path)
    assert loaded == artifact
    grid = np.linspace(0, 1, 1001)
    signals = {"agreement": np.full(1001, 0.7), "words_described": np.ones(1001)}
    assert np.array_equal(loaded.calibrator().apply(grid, signals), artifact.calibrator().apply(grid, signals))


def test_the_reliability_diagram_is_in_the_file() -> None:
    assert sum(bar.n for bar in ARTIFACT.reliability_before) == sum(bar.n for bar in ARTIFACT.reliability_after) == 300
    gaps = [
        sum(bar.n * abs((bar.accuracy or 0) - (bar.confidence or 0)) for bar in bars) / 300
        for bars in (ARTIFACT.reliability_before, ARTIFACT.reliability_after)
    ]
    assert gaps[0] == pytest.approx(ARTIFACT.metrics_before["ece"]["value"])
    assert gaps[1] == pytest.approx(ARTIFACT.metrics_after["ece"]["value"])


def test_signals_of_rows_without_a_verdict_are_left_out() -> None:
    valid = np.arange(300) % 3 != 0
    agreement = np.where(valid, RANDOM.integers(0, 21, 300) / 20, np.nan)
    part = fitted(family="two-signal", valid=valid, signals={"agreement": agreement})
    assert part.calibrator() == get_family("two-signal").fit(
        STATED[valid], CORRECT[valid], {"agreement": agreement[valid]}
    )


def test_a_key_reads_as_one_line() -> None:
    end = f"greedy, 256 tokens | pictures {PREPARATION_VERSION}, up to 1024 px"
    assert PAIR.line == f"cgp | mini-1 | policy-1 | answer-compact@1 | {end}"
    assert PAIR.model_copy(update={"policy": None}).line == f"cgp | mini-1 | no policy | answer-compact@1 | {end}"
    samples = Decoding(temperature=0.5, top_p=0.95, top_k=100, max_tokens=None, samples=21)
    assert samples.line == "temperature 0.5, top-p 0.95, top-k 100, any length, 21 samples"
    assert samples.as_sent(takes_top_k=True) == samples
    assert samples.as_sent(takes_top_k=False).line.split(", ")[2] == "top-k of the server"
