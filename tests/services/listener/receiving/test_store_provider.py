"""Objects by C-STORE: taken durably and once, or refused by the status that says why; no peer takes too much."""

from __future__ import annotations

import socket
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian, MRImageStorage, generate_uid
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from services.listener.receiving.inbox import Inbox
from services.listener.receiving.outcomes import StoreOutcome
from services.listener.receiving.reception import Reception
from services.listener.receiving.store_provider import StoreBounds, StoreProvider
from services.listener.rules import InstanceRule, Rules
from services.listener.state import Stage, State
from tests.services.listener.orthanc import slices
from tests.support.waiting import wait_until

VERIFICATION = "1.2.840.10008.1.1"
RULES = Rules(
    rules=(
        InstanceRule(name="ct-chest", modality=("CT",), body_part=("CHEST",), question="q?"),
        InstanceRule(name="ct-any", modality=("CT",), question="r?"),
    )
)
BOUNDS = StoreBounds(
    aet="TRUSTVQA",
    callers=frozenset({"MODALITY", "STORESCU"}),
    associations=4,
    pdu_bytes=16_384,
    object_bytes=1_000_000,
    object_deadline_s=10.0,
    idle_s=5.0,
)


@dataclass
class Receiving:
    """A provider that listens, and what came of it."""

    provider: StoreProvider
    port: int
    outcomes: list[StoreOutcome] = field(default_factory=list)

    @property
    def reception(self) -> Reception:
        return self.provider.reception

    @property
    def kept(self) -> list[str]:
        return [each.stem for each in self.reception.inbox.files()]

    @property
    def jobs(self) -> Counter[str]:
        return Counter(each.rule for each in self.reception.state.due(1e12, 1_000))

    @property
    def arriving(self) -> list[Path]:
        return list(self.reception.inbox.arriving.iterdir())


MakeReceiving = Callable[..., AbstractContextManager[Receiving]]


def reception_in(folder: Path, *, most_waiting: int = 1_000, max_bytes: int = 50_000_000) -> Reception:
    inbox = Inbox(folder / "received", max_bytes=max_bytes)
    return Reception(inbox, State(folder / "state.db"), RULES, most_waiting, time.time, lambda *_: None)


@pytest.fixture
def make_receiving(tmp_path: Path) -> MakeReceiving:
    @contextmanager
    def make(bounds: StoreBounds = BOUNDS, **limits: int) -> Iterator[Receiving]:
        found: list[StoreOutcome] = []
        provider = StoreProvider(bounds, reception_in(tmp_path, **limits), found.append)
        port = provider.start("127.0.0.1", 0)
        try:
            yield Receiving(provider, port, found)
        finally:
            provider.stop()

    return make


@pytest.fixture
def receiving(make_receiving: MakeReceiving) -> Iterator[Receiving]:
    with make_receiving() as made:
        yield made


def sender(name: str = "MODALITY") -> AE:
    entity = AE(ae_title=name)
    for each in (CTImageStorage, MRImageStorage, VERIFICATION):
        entity.add_requested_context(each, ImplicitVRLittleEndian)
    entity.network_timeout = entity.acse_timeout = entity.dimse_timeout = 10
    return entity


@contextmanager
def associated(port: int, name: str = "MODALITY", called: str = "TRUSTVQA") -> Iterator[Any]:
    opened: list[Any] = []
    noted: list[Any] = [(evt.EVT_CONN_OPEN, lambda event: opened.append(event.assoc.dul.socket.socket))]
    association = sender(name).associate("127.0.0.1", port, ae_title=called, evt_handlers=noted)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        # The library leaves a socket open that its other side has ended.
        for each in opened:
            each.close()


def sent(association: Any, data: bytes, *, sop_class: str = CTImageStorage, uid: str) -> Dataset:
    """Send bytes as the object of a C-STORE request; give what is said of it."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sop_class, uid
    request.DataSet = BytesIO(data)
    context = next(each for each in association.accepted_contexts if each.abstract_syntax == sop_class)
    # Else the association's own thread takes the response.
    association._reactor_checkpoint.clear()
    wait_until(lambda: association._is_paused, 10)
    association.dimse.send_msg(request, context.context_id)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    assert response is not None
    told = Dataset()
    told.Status, told.ErrorComment = response.Status, response.ErrorComment
    return told


def ct_slice(**changes: Any) -> tuple[bytes, str]:
    """A CT slice as its data set is sent, implicit and little endian, and its identifier."""
    dataset = dcmread(BytesIO(slices(1)[0]))
    for name, value in changes.items():
        setattr(dataset, name, value)
    uid = str(dataset.SOPInstanceUID)
    return encode(dataset, True, True) or b"", uid


@pytest.mark.skipif(not Path("/usr/bin/storescu").exists(), reason="dcmtk is not installed")
def test_dcmtk_sends_and_what_comes_twice_is_one(receiving: Receiving, tmp_path: Path) -> None:
    files = slices(4)
    for place, file in enumerate(files):
        (tmp_path / f"{place}.dcm").write_bytes(file)
    paths = [str(tmp_path / f"{place}.dcm") for place in range(4)]
    at = ["-aec", "TRUSTVQA", "127.0.0.1", str(receiving.port)]
    for _ in range(2):
        done = subprocess.run(["storescu", *at, *paths], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert subprocess.run(["echoscu", "-aet", "MODALITY", *at], timeout=60).returncode == 0
    # Of two CT and two MR slices no rule meets the latter.
    assert receiving.jobs == {"ct-chest": 2, "ct-any": 2}
    assert Counter(receiving.outcomes) == {StoreOutcome.KEPT: 2, StoreOutcome.KNOWN: 2, StoreOutcome.NO_RULE: 4}
    sources = {str(dcmread(BytesIO(each)).SOPInstanceUID): dcmread(BytesIO(each)) for each in files[::2]}
    assert sorted(receiving.kept) == sorted(sources)
    for kept in receiving.reception.inbox.files():
        assert dcmread(kept).pixel_array.tolist() == sources[kept.stem].pixel_array.tolist()
    assert receiving.arriving == []


def test_who_is_not_named_is_not_let_in(receiving: Receiving) -> None:
    for name, called in (("STRANGER", "TRUSTVQA"), ("MODALITY", "ANOTHER")):
        with associated(receiving.port, name, called) as association:
            assert association.is_rejected
    with associated(receiving.port) as association:
        assert association.send_c_echo().Status == 0x0000


@pytest.mark.parametrize(
    ("change", "limits", "status"),
    [
        ({}, {}, 0x0000),
        ({"PixelData": bytes(2_000_000)}, {}, 0xA700),
        ({}, {"max_bytes": 10_000}, 0xA701),
        ({}, {"most_waiting": 0}, 0xA701),
        ({"SOPClassUID": MRImageStorage}, {}, 0xA900),
        ({"StudyInstanceUID": ""}, {}, 0xC000),
        ({"StudyInstanceUID": "../../1"}, {}, 0xC000),
        ({"Modality": "US"}, {}, 0x0000),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_each_refusal_has_its_status(
    make_receiving: MakeReceiving, change: dict[str, Any], limits: dict[str, int], status: int
) -> None:
    data, uid = ct_slice(**change)
    with make_receiving(**limits) as receiving, associated(receiving.port) as association:
        told = sent(association, data, uid=uid)
        assert told.Status == status, told
        assert bool(told.ErrorComment) is (status != 0)
        is_kept = status == 0 and not change
        assert receiving.kept == [uid] * is_kept
        assert bool(receiving.jobs) is is_kept
        # The association is good for the next object.
        data, uid = ct_slice()
        assert sent(association, data, uid=uid).Status == (status if limits else 0x0000)
        assert receiving.arriving == []


@pytest.mark.parametrize("data", [b"no object at all", bytes(5_000), b"\xff" * 5_000], ids=["text", "zeros", "ones"])
def test_what_is_no_object_is_refused(receiving: Receiving, data: bytes) -> None:
    with associated(receiving.port) as association:
        assert sent(association, data, uid=generate_uid()).Status == 0xC000
    assert receiving.kept == []


def test_another_object_than_was_said_is_refused(receiving: Receiving) -> None:
    data, _ = ct_slice()
    with associated(receiving.port) as association:
        assert sent(association, data, uid="1.2.3").Status == 0xA900
    assert receiving.kept == []


def test_associations_beyond_the_bound_are_turned_away_and_places_come_free(receiving: Receiving) -> None:
    held = [sender().associate("127.0.0.1", receiving.port, ae_title="TRUSTVQA") for _ in range(4)]
    assert all(each.is_established for each in held)
    with associated(receiving.port) as association:
        assert not association.is_established
    for each in held:
        each.release()

    def let_in() -> bool:
        with associated(receiving.port) as association:
            return bool(association.is_established)

    wait_until(let_in, 20)


def test_a_pdu_without_end_and_one_that_drips_end_their_connections(make_receiving: MakeReceiving) -> None:
    with make_receiving(replace(BOUNDS, idle_s=0.5)) as receiving:
        for start in (struct.pack(">BBL", 1, 0, 0xFFFF_FFFF), struct.pack(">BBL", 1, 0, 200) + bytes(20), b"\x01"):
            with socket.create_connection(("127.0.0.1", receiving.port), timeout=10) as peer:
                peer.sendall(start)
                assert _is_ended(peer)
        with associated(receiving.port) as association:
            assert association.send_c_echo().Status == 0x0000


def _is_ended(peer: socket.socket) -> bool:
    """Whether the connection is ended by its other side: by a few bytes of an abort at most."""
    try:
        while peer.recv(1_000):
            pass
    except ConnectionResetError:
        pass
    return True


def test_an_object_that_does_not_come_to_its_end_leaves_nothing(receiving: Receiving) -> None:
    data, uid = ct_slice()
    with associated(receiving.port) as association:
        request = C_STORE()
        request.MessageID, request.Priority = 1, 2
        request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CTImageStorage, uid
        request.DataSet = BytesIO(data[:20_000])
        context = next(each for each in association.accepted_contexts if each.abstract_syntax == CTImageStorage)
        sending = association.dul.send_pdu
        parts: list[Any] = []
        association.dul.send_pdu = parts.append
        association.dimse.send_msg(request, context.context_id)
        association.dul.send_pdu = sending
        for part in parts[:-1]:
            sending(part)
        wait_until(lambda: bool(receiving.arriving), 10)
        association.abort()
    wait_until(lambda: receiving.outcomes == [StoreOutcome.BROKEN], 10)
    assert receiving.arriving == []
    assert receiving.kept == []


def test_what_was_kept_when_the_process_ended_is_asked_about(tmp_path: Path) -> None:
    """A process that ends after an object is on the disk, and before its questions are noted."""
    before = reception_in(tmp_path)
    for place, file in enumerate(slices(2)):
        arrived = before.inbox.arriving / f"{place}.dcm"
        arrived.write_bytes(file)
        before.inbox.keep(arrived, str(dcmread(BytesIO(file)).SOPInstanceUID))
    (before.inbox.arriving / "half.dcm").write_bytes(b"half an object")
    after = reception_in(tmp_path)
    after.recover()
    after.recover()
    ct = str(dcmread(BytesIO(slices(1)[0])).SOPInstanceUID)
    # No rule meets the other.
    assert [each.stem for each in after.inbox.files()] == [ct]
    jobs = after.state.due(1e12, 10)
    assert Counter(each.rule for each in jobs) == {"ct-chest": 1, "ct-any": 1}
    assert list(after.inbox.arriving.iterdir()) == []

    for place, job in enumerate(jobs):
        assert after.file_of(job.instance) == slices(1)[0]
        source = after.source_of(job.instance)
        assert source is not None
        assert str(source.PatientName) == "Planted^Surname^Zebedee"
        assert "PatientComments" not in source
        after.state.given_up(job, "refused")
        after.settle(job.instance)
        assert (after.file_of(job.instance) is None) is (place == 1)
    assert after.state.counts()[Stage.GIVEN_UP] == 2


def test_only_their_owner_reads_what_was_received(receiving: Receiving) -> None:
    data, uid = ct_slice()
    with associated(receiving.port) as association:
        sent(association, data, uid=uid)
    [file] = receiving.reception.inbox.files()
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0
