"""Samples out of a folder: pictures alone or with questions, what is refused at the start, and who may fetch them."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image

from prompt4trust.pictures import PictureLimits
from services.common.http.page_headers import PAGE_HEADERS
from services.gateway.errors import SampleFolderError
from services.gateway.web.samples import folder as module
from services.gateway.web.samples.chosen import PATH
from services.gateway.web.samples.folder import FolderSample, folder_samples
from services.gateway.web.static_pages import FILES
from tests.prompt4trust.pictures.dicom.objects import bundled_file, ct
from tests.services.gateway.conftest import MakeGateway
from tests.support.keys import bearer, keys_at

HEADER = "Figure_path,Question,Answer,Choice A,Choice B,Answer_label\n"


def save(path: Path, side: int = 300, colour: int = 90) -> Path:
    Image.new("L", (side, side), colour).save(path)
    return path


def read(folder: Path, most: int = 1_000_000, **limits: bool) -> list[FolderSample]:
    return folder_samples(folder, PictureLimits(**limits), most)


def test_pictures_alone_are_samples_without_a_question(tmp_path: Path) -> None:
    save(tmp_path / "b.png")
    (tmp_path / "a.dcm").write_bytes(bundled_file("CT_small.dcm").read_bytes())
    (tmp_path / ".hidden").write_text("nothing of the page's")
    (tmp_path / "older").mkdir()
    samples = read(tmp_path)
    assert [(each.name, each.label, each.question, each.options) for each in samples] == [
        ("a.dcm", "a", None, ()),
        ("b.png", "b", None, ()),
    ]
    assert samples[0].content == bundled_file("CT_small.dcm").read_bytes()  # the file, with what it says of itself
    for each in samples:
        content = base64.b64decode(each.thumbnail.removeprefix("data:image/png;base64,"))
        with Image.open(io.BytesIO(content)) as small:
            assert max(small.size) <= 224


def test_questions_beside_them_are_samples_in_their_order_and_no_truth_is_told(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    save(tmp_path / "images" / "x.png")
    save(tmp_path / "images" / "unasked.png")
    rows = ["x.png,Which side?,Left,Left,Right,A", "x.png,Which level?,High,Low,High,B"]
    (tmp_path / "questions.csv").write_text(HEADER + "\n".join(rows) + "\n")
    samples = read(tmp_path)
    assert [(each.label, each.question, each.options) for each in samples] == [
        ("x (1)", "Which side?", ("Left", "Right")),
        ("x (2)", "Which level?", ("Low", "High")),
    ]


def folder_of(tmp_path: Path, what: str) -> Path:
    folder = tmp_path / "samples"
    folder.mkdir()
    if what == "text":
        (folder / "notes.txt").write_text("no picture")
    elif what == "large":
        (folder / "large.png").write_bytes(os.urandom(2_000))
    elif what == "many":
        for number in range(module.MAX_SAMPLES + 1):
            save(folder / f"{number}.png")
    elif what == "gone":
        (folder / "questions.csv").write_text(HEADER + "gone.png,Which side?,Left,Left,Right,A\n")
    elif what == "outside":
        save(tmp_path / "secret.png")
        (folder / "questions.csv").write_text(HEADER + "../secret.png,Which side?,Left,Left,Right,A\n")
    elif what == "long":
        save(folder / "x.png")
        (folder / "questions.csv").write_text(HEADER + f"x.png,{'Why? ' * 900},Left,Left,Right,A\n")
    return folder


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("empty", "samples holds no picture"),
        ("text", "notes.txt cannot be a sample: "),
        ("large", "large.png has 0.0 MB, and 0.001 are the most"),
        ("many", f"has {module.MAX_SAMPLES + 1} samples, and {module.MAX_SAMPLES} are the most"),
        ("gone", "gone.png"),
        ("outside", "secret.png"),
        ("long", "questions.csv: question "),
    ],
)
def test_what_cannot_be_a_sample_is_refused_with_its_name(tmp_path: Path, what: str, said: str) -> None:
    with pytest.raises(SampleFolderError) as refused:
        read(folder_of(tmp_path, what), most=1_000)
    assert said in str(refused.value)


def test_a_dicom_object_is_a_sample_where_a_client_may_send_it(tmp_path: Path) -> None:
    content = ct(Modality="US", BurnedInAnnotation="YES")
    content.save_as(tmp_path / "us.dcm")
    with pytest.raises(SampleFolderError, match=r"us\.dcm cannot be a sample: "):
        read(tmp_path)
    assert [each.name for each in read(tmp_path, takes_burned_in=True)] == ["us.dcm"]


def test_all_pictures_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        save(tmp_path / f"{name}.png")
    monkeypatch.setattr(module, "MAX_BYTES", 2 * (tmp_path / "a.png").stat().st_size)
    with pytest.raises(SampleFolderError, match=r"with c\.png the pictures have more than"):
        read(tmp_path)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.timeout(240)  # the process imports a whole gateway, on a machine that others keep busy
def test_a_gateway_whose_samples_cannot_be_used_ends_at_its_start(tmp_path: Path, workers: str) -> None:
    folder = folder_of(tmp_path, "text")
    told = {"TRUSTVQA_GATEWAY_PAGE_SAMPLES_FOLDER": str(folder), "TRUSTVQA_GATEWAY_WORKERS": workers}
    done = subprocess.run(
        [sys.executable, "-m", "services.gateway"], env={**os.environ, **told}, capture_output=True, text=True,
        timeout=220,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert f"error: page_samples_folder: {folder / 'notes.txt'} cannot be a sample" in done.stderr
    assert "Traceback" not in done.stderr


def test_they_are_for_those_who_may_ask_and_never_among_the_open_files(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    save(folder / "private.png")
    keys = keys_at(tmp_path / "keys.json", ward="ask", scraper="metrics")
    with (
        make_gateway(page_samples_folder=folder, api_keys=tmp_path / "keys.json") as url,
        httpx.Client(base_url=url, timeout=20) as http,
    ):
        for path in (PATH, f"{PATH}/0"):
            assert http.get(path).status_code == 401
            assert http.get(path, headers=bearer(keys["scraper"])).status_code == 403
        assert http.get(f"{FILES}/samples/private.png").status_code == 404
        shown = bearer(keys["ward"])
        [listed] = http.get(PATH, headers=shown).json()
        assert (listed["name"], listed["image"], "question" in listed) == ("private.png", f"{PATH}/0", False)
        fetched = http.get(listed["image"], headers=shown)
        assert fetched.content == (folder / "private.png").read_bytes()
        assert fetched.headers["cache-control"] == "no-store"
        assert fetched.headers["x-content-type-options"] == PAGE_HEADERS["X-Content-Type-Options"]
        assert http.get(f"{PATH}/1", headers=shown).status_code == 404
