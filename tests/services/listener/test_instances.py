"""The archive's instances go before those that were sent under their identifiers; ones that do not fit are given up."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from services.common.pacs.archive import Archive
from services.common.pacs.errors import MisfitError
from services.listener.instances import Instances
from services.listener.receiving.inbox import read_header, reference_of
from tests.services.listener.orthanc import Orthanc, slices
from tests.services.listener.receiving.test_store_provider import reception_in


def with_sent(folder: Path, archive: Orthanc, sent: Dataset) -> tuple[Instances, bytes]:
    """A place where an object was sent to, and the object."""
    reception = reception_in(folder)
    file = reception.inbox.arriving / "sent.dcm"
    sent.save_as(file)
    data, uid = file.read_bytes(), str(sent.SOPInstanceUID)
    reception.inbox.keep(file, uid)
    return Instances(Archive(archive.url), reception), data


def test_what_is_sent_does_not_stand_for_what_the_archive_holds(orthanc: Orthanc, tmp_path: Path) -> None:
    held = dcmread(BytesIO(slices(1)[0]))
    reference = reference_of(held)

    sent = dcmread(BytesIO(slices(1)[0]))
    sent.PixelData, sent.PatientName = bytes(len(sent.PixelData)), "Another^Name"
    instances, data = with_sent(tmp_path / "same", orthanc, sent)
    assert instances.file(reference) == data  # nothing else is known of it
    assert str(getattr(instances.sent_attributes(reference), "PatientName", "")) == "Another^Name"

    orthanc.store(slices(1)[0])
    found = dcmread(BytesIO(instances.file(reference)))
    assert found.PixelData == held.PixelData
    assert instances.sent_attributes(reference) is None  # patient and study are the archive's

    for place, name in enumerate(("PatientID", "StudyInstanceUID")):
        other = dcmread(BytesIO(slices(1)[0]))
        setattr(other, name, "1.2.3")
        instances, _ = with_sent(tmp_path / str(place), orthanc, other)
        header = read_header(next(iter(instances.reception.inbox.files()))) if instances.reception else Dataset()
        for ask in (instances.file, instances.sent_attributes):
            with pytest.raises(MisfitError):
                ask(reference_of(header))
