"""`trustvqa ask`, `batch` and `evaluate` on real CT and MR slices: the model sees of each what it sees by /vqa."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from prompt4trust.pictures import PictureLimits, prepare_picture
from tests.prompt4trust.pictures.dicom.objects import bundled_file
from tests.services.gateway.upstream import Upstream
from tests.trustvqa.cli.commands import run_command

SLICES = ("CT_small.dcm", "MR_small.dcm")
COLUMNS = "question=asked,options=left+right,answer=truth,image=file"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A question about each slice, and about one that is smaller than any that is taken by --min-side."""
    for name in SLICES:
        shutil.copy(bundled_file(name), tmp_path / name)
    rows = "".join(f"Which shape has {name}?,Round,Oval,Oval,{name}\n" for name in SLICES)
    path = tmp_path / "mine.csv"
    path.write_text("asked,left,right,truth,file\n" + rows)
    return path


def seen(upstream: Upstream) -> set[str]:
    """The pictures that the model was sent, as data: URLs."""
    contents = [part for asked in upstream.asked for part in asked["messages"][-1]["content"]]
    return {part["image_url"]["url"] for part in contents if part["type"] == "image_url"}


# The MR slice is of a kind that often holds text; the model is a neighbour, which may see such.
LIMITS = PictureLimits(takes_burned_in=True)
PREPARED = {prepare_picture(bundled_file(name).read_bytes(), LIMITS).data_url for name in SLICES}


def test_ask_and_batch(gateway_url: str, upstream: Upstream, data: Path, tmp_path: Path) -> None:
    for name in SLICES:
        options = ("-o", "Round", "-o", "Oval", "--gateway", gateway_url, "--json")
        out, _ = run_command(tmp_path, "ask", name, "Which shape?", *options)
        assert json.loads(out[out.index("{\n") :])["picture"]["source"]["format"] == "DICOM"
    assert seen(upstream) == PREPARED
    upstream.asked.clear()
    results = tmp_path / "results.jsonl"
    run_command(tmp_path, "batch", data, "-o", results, "--columns", COLUMNS, "--gateway", gateway_url)
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert [row["decision"] for row in rows] in (["answer"] * 2, ["defer"] * 2)
    assert seen(upstream) == PREPARED


def test_evaluate(upstream_server: tuple[Upstream, str], upstream: Upstream, data: Path, tmp_path: Path) -> None:
    _, url = upstream_server
    models = ("--downstream-url", f"{url}/v1", "--policy-url", url, "--model", "model-1")
    asked = ("--data", data, "--columns", COLUMNS, "--methods", "verbalized", "--probe", "blank-image")
    sizes = ("--min-side", "100", "--resamples", "20", "--registry", tmp_path / "none")
    _, said = run_command(tmp_path, "evaluate", *asked, *sizes, *models)
    # The MR slice has 64 pixels on a side.
    assert "image under 100 px" in said
    assert "does not open" not in said
    [blank] = (tmp_path / "var" / "runs").rglob("blank-128x128.png")
    shown = seen(upstream)
    assert prepare_picture(bundled_file("CT_small.dcm").read_bytes()).data_url in shown
    assert prepare_picture(blank.read_bytes()).data_url in shown
    assert len(shown) == 2
