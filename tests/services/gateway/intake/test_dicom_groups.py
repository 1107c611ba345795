"""Groups that DICOM objects state themselves stand in place of what a client says of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from prompt4trust.calibration import GroupOffset, GroupOffsets, StratumOffsets
from prompt4trust.models import Sampling
from prompt4trust.pictures import PictureLimits, PicturePreparation, prepare_picture
from prompt4trust.selection import GuardArtifact
from services.common.pictures.dicom_groups import AgeBand, DicomGroups, read_age_bands
from services.common.registry.directory import Registry
from services.gateway.settings import GatewaySettings
from tests.prompt4trust.pictures.dicom.objects import ct, written
from tests.services.gateway.batches.streams import line, send
from tests.services.gateway.chat.chats import chat_body, content
from tests.services.gateway.conftest import MakeGateway, make_calibrator, picture
from tests.services.gateway.test_promises_by_group import make_guard
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import decoding_of

BANDS = ("18-39", "40-59", "60-74", "75+")
QUESTION = {"question": "Which shape?", "options": '["Round", "Oval"]'}
STATED = {"sex": "female", "age_band": "60-74"}
OTHERS = {"sex": "male", "age_band": "18-39"}
NOT_SERVED: tuple[dict[str, Any], ...] = (
    {"downstream": "another-model"},
    {"policy": "policy-0"},
    {"answer_template": "answer@1"},
    {"decoding": decoding_of("cgp", Sampling(temperature=1.5))},
    {"picture_preparation": PicturePreparation.of(PictureLimits(max_side=333))},
)
"""Parts of a key that make it one that no answer has here."""


def test_bands_are_read_by_their_names() -> None:
    assert read_age_bands(["75+", "18-39"]) == (AgeBand("18-39", 18, 39), AgeBand("75+", 75, 999))
    for wrong in (["74-60"], ["old"], ["18-39", "39-60"], ["75+", "80-90"], ["<40"], ["60-74\n"], ["٦٠-٧٤"]):
        with pytest.raises(ValueError, match="age band"):
            read_age_bands(wrong)
        with pytest.raises(ValidationError):
            GatewaySettings(dicom_age_bands=wrong)


@pytest.mark.parametrize(
    ("stated", "named", "expected"),
    [
        (("F", "067Y"), {}, {"modality": "CT", **STATED}),
        (("F", "067Y"), {"Sex": "male", "AGE_BAND": "18-39", "site": "a"}, {"site": "a", "modality": "CT", **STATED}),
        (("O", "075Y"), {}, {"modality": "CT", "sex": "O", "age_band": "75+"}),
        (("F", "010Y"), {"age_band": "18-39"}, {"modality": "CT", "sex": "female"}),  # in no band
        ((None, None), {**OTHERS}, {"modality": "CT", **OTHERS}),  # the object does not say
    ],
)
def test_what_the_object_states_is_taken(stated: tuple[str | None, ...], named: Any, expected: Any) -> None:
    file = written(ct(PatientSex=stated[0], PatientAge=stated[1]))
    prepared = prepare_picture(file, PictureLimits(reads_sex_and_age=True))
    taken = DicomGroups({"MR": "MRI"}, {"F": "female", "M": "male"}, read_age_bands(BANDS))
    assert taken.applied(named, prepared) == expected
    assert DicomGroups().applied(named, prepared) == named
    assert DicomGroups({}, {}, ()).reads_sex_and_age is False


@pytest.fixture(scope="module")
def registry_of_groups(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    def stratum(name: str, **offsets: float) -> StratumOffsets:
        groups = {value.replace("_", "-"): GroupOffset(offset=each, n=300) for value, each in offsets.items()}
        return StratumOffsets(name=name, spread=0.7, groups=groups)

    strata = (
        stratum("sex", female=1.0, male=-1.0),
        StratumOffsets(name="age_band", spread=0.5, groups={"60-74": GroupOffset(offset=0.3, n=200)}),
        StratumOffsets(name="site", spread=0, groups={"north": GroupOffset(offset=0, n=200)}),
    )
    registry = Registry(tmp_path_factory.mktemp("groups"))
    by_group = GroupOffsets(strata=strata, clip=0.01)
    registry.calibrators.publish(make_calibrator("cgp", "policy-1").model_copy(update={"by_group": by_group}))
    # None of what is served now: it is told of to nobody.
    other = make_calibrator("cgp", "policy-1")
    alien = GroupOffsets(strata=(stratum("scanner", old=0.5),), clip=0.01)
    for place, changed in enumerate(NOT_SERVED):
        changes = {"name": f"other-{place}", "by_group": alien, "key": other.key.model_copy(update=changed)}
        registry.calibrators.publish(other.model_copy(update=changes))
    with registry.active.changing() as active:
        active["policy"] = "policy-1"
    return registry


@pytest.fixture(scope="module")
def url_of_groups(make_gateway: MakeGateway, registry_of_groups: Registry) -> Iterator[str]:
    sexes = {"F": "female", "M": "male"}
    with make_gateway(registry=registry_of_groups.root, dicom_sexes=sexes, dicom_age_bands=[*BANDS]) as url:
        yield url


def test_every_way_of_asking_takes_the_objects_sex_and_age(url_of_groups: str, upstream: Upstream) -> None:
    file = written(ct(PatientSex="F", PatientAge="067Y"))
    coded = base64.b64encode(file).decode()
    with httpx.Client(base_url=url_of_groups, timeout=20) as client:
        files = {"image": ("scan.dcm", file, "application/dicom")}
        for named in ({}, OTHERS):
            reply = client.post("/vqa", data={**QUESTION, "groups": json.dumps(named)}, files=files).json()
            assert reply["calibration"]["groups"] == STATED
            # The record has the groups as if the client had named them, and nothing else of the patient.
            record = client.get(f"/vqa/{reply['id']}").json()
            assert record["groups"] == STATED
            assert "067Y" not in json.dumps([reply, record])
        told, _ = send(client, [line("mine", image=coded, groups=OTHERS)])
        assert told["mine"]["reply"]["calibration"]["groups"] == STATED
        chat = chat_body(messages=[{"role": "user", "content": content(url=f"data:application/dicom;base64,{coded}")}])
        completion = client.post("/v1/chat/completions", json={**chat, "groups": OTHERS}).json()
        assert completion["calibration"]["origin"]["groups"] == STATED


def test_a_chat_names_groups_beside_its_messages_or_in_its_metadata(url_of_groups: str, upstream: Upstream) -> None:
    with httpx.Client(base_url=url_of_groups, timeout=20) as client:
        for named in ({"groups": OTHERS}, {"metadata": {"groups": json.dumps(OTHERS)}}):
            completion = client.post("/v1/chat/completions", json=chat_body(**named)).json()
            assert completion["calibration"]["origin"]["groups"] == {"sex": "male"}  # no correction of 18-39


def test_what_is_told_apart_is_told_of(url_of_groups: str, make_gateway: MakeGateway, upstream: Upstream) -> None:
    with httpx.Client(base_url=url_of_groups, timeout=20) as client:
        # Neither a stratum without a difference nor what nothing that is served now fits.
        assert client.get("/v1/about").json()["groups"] == {"age_band": ["60-74"], "sex": ["female", "male"]}
    with make_gateway() as url, httpx.Client(base_url=url, timeout=20) as client:
        assert client.get("/v1/about").json()["groups"] == {}


def test_guards_groups_are_told_of_too(make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    registry.guards.publish(make_guard())
    with make_gateway(registry=registry.root) as url, httpx.Client(base_url=url, timeout=20) as client:
        assert client.get("/v1/about").json()["groups"] == {"modality": ["CT", "MR", "US"]}
        # A file that is no DICOM object has the groups that its client names.
        files = {"image": ("a.png", picture(), "image/png")}
        data = {**QUESTION, "max_risk": "0.1", "groups": '{"modality": "CT"}'}
        assert client.post("/vqa", data=data, files=files).json()["decision_basis"]["groups"] == {"modality": "CT"}


def test_no_text_says_what_an_object_states(make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    registry.calibrators.publish(make_calibrator("cgp", "policy-1", right=0.97))
    guard = make_guard().model_dump_json().replace('"modality"', '"sex"').replace('"CT"', '"female"')
    registry.guards.publish(GuardArtifact.model_validate_json(guard))
    file = written(ct(PatientSex="F", PatientAge="067Y"))
    with make_gateway(registry=registry.root, max_risk=0.1, dicom_sexes={"F": "female"}) as url:
        files = {"image": ("scan.dcm", file, "application/dicom")}
        reply = httpx.post(f"{url}/vqa", data=QUESTION, files=files, timeout=20).json()
        coded = base64.b64encode(file).decode()
        chat = chat_body(messages=[{"role": "user", "content": content(url=f"data:application/dicom;base64,{coded}")}])
        completion = httpx.post(f"{url}/v1/chat/completions", json=chat, timeout=20).json()
    assert (reply["decision"], reply["decision_basis"]["groups"]) == ("answer", {"sex": "female"})
    said = [reply["statement"], reply["decision_basis"]["reason"], completion["choices"][0]["message"]["content"]]
    assert all(" in its group are wrong" in text and "female" not in text for text in said)
