"""`trustvqa deidentify`: a file or a folder, nothing overwritten, what is left out counted by its reason."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.prompt4trust.pictures.dicom.objects import ct, written
from tests.trustvqa.cli.commands import run_command

NAME = "Planted^Zebedee"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two slices of one study, an ultrasound and a file of another kind."""
    folder = tmp_path / "study" / NAME
    folder.mkdir(parents=True)
    for number in (1, 2):
        (folder / f"{NAME}-{number}.dcm").write_bytes(written(ct(PatientName=NAME, SOPInstanceUID=f"1.2.3.{number}")))
    (folder / "us.dcm").write_bytes(written(ct(PatientName=NAME, Modality="US")))
    (folder / "notes.txt").write_text(f"{NAME} was here")
    return tmp_path / "study"


def test_a_folder(study: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef")
    out, said = run_command(tmp_path, "deidentify", study, "clean", "--key-file", key, status=1)
    assert "written: 2" in out
    assert said.count("left out: ") >= 1
    assert NAME not in out + said
    made = sorted((tmp_path / "clean").iterdir())
    assert [each.stem for each in made] == [str(dcmread(each).SOPInstanceUID) for each in made]
    assert len({dcmread(each).StudyInstanceUID for each in made}) == 1
    assert not any(NAME.encode() in each.read_bytes() for each in made)
    before = [each.read_bytes() for each in made]
    _, said = run_command(tmp_path, "deidentify", study, "clean", "--key-file", key, status=1)
    assert "2 x an object of this identifier is there already" in said
    assert [each.read_bytes() for each in made] == before
    run_command(tmp_path, "deidentify", study, "text", "--burned-in", status=1)
    assert len(list((tmp_path / "text").iterdir())) == 3


def test_files_that_cannot_be_read_end_nothing(study: Path, tmp_path: Path) -> None:
    (study / f"{NAME}-a").symlink_to("/proc/self/mem")  # opens, and cannot be read, whoever reads it
    (study / f"{NAME}-b").symlink_to(study / "nowhere")
    with (study / f"{NAME}-c").open("wb") as stream:
        stream.truncate(3_000_000_000)  # takes no room
    os.mkfifo(study / f"{NAME}-d")
    out, said = run_command(tmp_path, "deidentify", study, "clean", status=1)
    assert "written: 2" in out
    for reason in (
        "the file cannot be read (OSError)",
        "the file cannot be read (FileNotFoundError)",
        "the file has more than 2000000000 bytes",
        "it is no file",
    ):
        assert f"left out: 1 x {reason}" in said
    assert NAME not in out + said


def test_an_object_that_takes_too_much_memory_ends_nothing(study: Path, tmp_path: Path) -> None:
    with (study / f"{NAME}-a").open("wb") as stream:
        stream.truncate(1_900_000_000)
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 1_000_000_000, before[1]))
    try:
        out, said = run_command(tmp_path, "deidentify", study, "clean", status=1)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert "written: 2" in out
    assert "left out: 1 x the object takes more memory than there is" in said


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "in.dcm").write_bytes(written(ct(PatientName=NAME)))
    run_command(tmp_path, "deidentify", "in.dcm", "out.dcm")
    assert dcmread(tmp_path / "out.dcm").PatientIdentityRemoved == "YES"
    _, said = run_command(tmp_path, "deidentify", "in.dcm", "out.dcm", status=2)
    assert "exists already" in said
    (tmp_path / "short").write_bytes(b"short")
    _, said = run_command(tmp_path, "deidentify", "in.dcm", "other.dcm", "--key-file", "short", status=2)
    assert "16 bytes" in said
    assert not (tmp_path / "other.dcm").exists()
