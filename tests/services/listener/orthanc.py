"""A private picture archive for tests: Debian's Orthanc with its DICOMweb plug-in, on loopback."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from tests.support.servers import free_port_block
from tests.support.waiting import wait_until

_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PLANTED = {
    "PatientName": "Planted^Surname^Zebedee",
    "PatientID": "PLANTED-ID-4711",
    "PatientBirthDate": "19010203",
    "AccessionNumber": "PLANTEDACC99",
    "InstitutionName": "Planted Infirmary",
    "ReferringPhysicianName": "Planted^Referrer",
    "PatientComments": "planted comment",
    "OtherPatientIDs": "PLANTED-OTHER-1",
}
"""Attributes of the slices' patient, to be looked for."""


@dataclass
class Orthanc:
    """An archive; it keeps what it has when it is restarted.

    Attributes:
        folder: Where it keeps that.
        port: Where it listens.
    """

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Its DICOMweb root."""
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "index"),
            "Plugins": [str(_PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "HttpPort": self.port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomServerEnabled": False,
            "OverwriteInstances": False,
        }
        file = self.folder / "orthanc.json"
        file.write_text(json.dumps(settings), encoding="utf-8")
        with (self.folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen(["/usr/sbin/Orthanc", str(file)], stdout=log, stderr=log)
        wait_until(self._answers, 60)

    def stop(self, *, kill: bool = False) -> None:
        """End it, at once or as it wishes."""
        if self._process is not None:
            (self._process.kill if kill else self._process.terminate)()
            self._process.wait(30)
            self._process = None

    def store(self, *files: bytes) -> None:
        """Store objects."""
        for each in files:
            httpx.post(f"http://127.0.0.1:{self.port}/instances", content=each, timeout=30).raise_for_status()

    def send(self, to: int) -> bool:
        """Send all its slices by C-STORE to a port of this machine; whether all were taken."""
        root = f"http://127.0.0.1:{self.port}"
        peer = {"AET": "TRUSTVQA", "Host": "127.0.0.1", "Port": to}
        httpx.put(f"{root}/modalities/trustvqa", json=peer, timeout=10).raise_for_status()
        query = {"Level": "Instance", "Query": {"Modality": "CT\\MR"}, "Limit": 10_000}
        found = httpx.post(f"{root}/tools/find", json=query, timeout=30).raise_for_status().json()
        given = {"Resources": found, "Synchronous": True}
        return httpx.post(f"{root}/modalities/trustvqa/store", json=given, timeout=60).is_success

    def reports(self) -> list[bytes]:
        """All Structured Reports that it has."""
        query = {"Level": "Instance", "Query": {"Modality": "SR"}, "Limit": 10_000}
        root = f"http://127.0.0.1:{self.port}"
        found = httpx.post(f"{root}/tools/find", json=query, timeout=30).raise_for_status().json()
        return [httpx.get(f"{root}/instances/{each}/file", timeout=30).raise_for_status().content for each in found]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "orthanc.log").read_text(errors="replace")[-2000:]
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/studies?limit=1", timeout=5).status_code in (200, 204)
        return False


@contextlib.contextmanager
def running_orthanc(folder: Path) -> Iterator[Orthanc]:
    """Run an archive for the length of a block; skip the test where it is not installed."""
    if shutil.which("Orthanc", path="/usr/sbin:/usr/bin") is None or not _PLUGIN.exists():
        pytest.skip("Orthanc and its DICOMweb plug-in are not installed (apt-get install orthanc orthanc-dicomweb)")
    folder.mkdir(parents=True, exist_ok=True)
    orthanc = Orthanc(folder, free_port_block(1))
    orthanc.start()
    try:
        yield orthanc
    finally:
        orthanc.stop()


def slices(count: int) -> list[bytes]:
    """Slices of a CT and an MR, each with pixels and identifiers of its own, and planted attributes of a patient."""
    sources = [dcmread(str(get_testdata_file(name))) for name in ("CT_small.dcm", "MR_small.dcm")]
    return [_slice(sources[number % 2], number) for number in range(count)]


def _slice(source: Dataset, number: int) -> bytes:
    made: Any = dcmread(BytesIO(_bytes_of(source)))
    for name, value in PLANTED.items():
        setattr(made, name, value)
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["slice", str(number)])
    made.StudyInstanceUID = generate_uid(entropy_srcs=["study", made.Modality])
    made.SeriesInstanceUID = generate_uid(entropy_srcs=["series", made.Modality])
    made.BodyPartExamined = "CHEST" if made.Modality == "CT" else "HEAD"
    made.InstanceNumber = number + 1
    made.PixelData = np.roll(made.pixel_array, 7 * number, axis=0).tobytes()
    return _bytes_of(made)


def _bytes_of(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
