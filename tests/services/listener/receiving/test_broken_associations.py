"""Senders that keep to no order, and disks that take nothing: each is cut off, counted, and leaves nothing behind."""

from __future__ import annotations

import socket
import sqlite3
import tempfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage, generate_uid
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import P_DATA

from services.listener.receiving.inbox import Inbox, InboxFullError
from services.listener.receiving.outcomes import StoreOutcome
from tests.services.listener.receiving.test_store_provider import (
    BOUNDS,
    MakeReceiving,
    Receiving,
    associated,
    ct_slice,
    make_receiving,
    receiving,
    reception_in,
    sent,
)
from tests.support.waiting import wait_until

__all__ = ["make_receiving", "receiving"]


def parts_of(association: Any, data: bytes, uid: str) -> list[Any]:
    """The parts of a C-STORE request, none of which is sent."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CTImageStorage, uid
    request.DataSet = BytesIO(data)
    parts: list[Any] = []
    sending, association.dul.send_pdu = association.dul.send_pdu, parts.append
    association.dimse.send_msg(request, context_of(association))
    association.dul.send_pdu = sending
    return parts


def context_of(association: Any) -> int:
    return next(
        int(each.context_id) for each in association.accepted_contexts if each.abstract_syntax == CTImageStorage
    )


def part(association: Any, control: int, value: bytes) -> P_DATA:
    made = P_DATA()
    made.presentation_data_value_list.append((context_of(association), bytes([control]) + value))
    return made


def command(field: int, *, with_uids: bool) -> bytes:
    found = Dataset()
    found.CommandField, found.MessageID, found.Priority, found.CommandDataSetType = field, 1, 2, 1
    if with_uids:
        found.AffectedSOPClassUID, found.AffectedSOPInstanceUID = CTImageStorage, generate_uid()
    return encode(found, True, True) or b""


def test_who_does_not_wait_for_the_answer_is_cut_off(receiving: Receiving) -> None:
    """However many objects come while one is handled, one file at most is there, and none remains."""
    data, uid = ct_slice()
    with associated(receiving.port) as association:
        parts = parts_of(association, data, uid)
        with receiving.reception.inbox.one_at_a_time():  # the first is being handled all the time
            for each in parts:
                association.dul.send_pdu(each)
            wait_until(lambda: len(receiving.arriving) == 1, 10)
            for each in parts * 5:
                association.dul.send_pdu(each)
            wait_until(lambda: association.is_aborted, 10)
            assert len(receiving.arriving) <= 1
    wait_until(lambda: receiving.outcomes == [StoreOutcome.KEPT, StoreOutcome.BROKEN], 10)
    assert receiving.arriving == []
    assert receiving.kept == [uid]


@pytest.mark.parametrize(
    "values",
    [
        [(3, command(1, with_uids=False))],
        [(3, b"no command")],
        [(3, command(1, with_uids=True))] * 5,
        [(2, b"an object without a command")],
        [(1, bytes(9_000))] * 9,
        [(3, command(0x0100, with_uids=True)), (0, b"an event's data")],
    ],
    ids=["no-identifiers", "garbage", "commands", "no-command", "endless-command", "another-service"],
)
def test_what_is_no_message_ends_the_association(receiving: Receiving, values: list[tuple[int, bytes]]) -> None:
    with associated(receiving.port) as association:
        for control, value in values:
            association.dul.send_pdu(part(association, control, value))
        wait_until(lambda: association.is_aborted, 10)
    wait_until(lambda: receiving.outcomes == [StoreOutcome.BROKEN], 10)
    assert receiving.arriving == []


def test_a_disk_that_takes_no_file_ends_the_association_and_the_next_is_served(receiving: Receiving) -> None:
    data, uid = ct_slice()
    folder = receiving.reception.inbox.arriving
    folder.rmdir()
    with associated(receiving.port) as association:
        for each in parts_of(association, data, uid):
            association.dul.send_pdu(each)
        wait_until(lambda: association.is_aborted, 10)
    wait_until(lambda: receiving.outcomes == [StoreOutcome.BROKEN], 10)
    folder.mkdir()
    with associated(receiving.port) as association:
        assert sent(association, data, uid=uid).Status == 0x0000


def test_objects_that_arrive_share_the_room(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, max_bytes=100)
    inbox.take_room(60)
    with pytest.raises(InboxFullError):
        inbox.take_room(60)
    inbox.give_room(60)
    inbox.take_room(60)


def test_room_comes_free_whatever_becomes_of_an_object(make_receiving: MakeReceiving) -> None:
    data, uid = ct_slice(Modality="US")
    with make_receiving(max_bytes=len(data) + 1_000) as receiving:
        for _ in range(3):
            with associated(receiving.port) as association:
                assert sent(association, data, uid=uid).Status == 0x0000
                for each in parts_of(association, data, uid)[:-1]:
                    association.dul.send_pdu(each)
                wait_until(lambda: bool(receiving.arriving), 10)
                association.abort()
            wait_until(lambda: not receiving.arriving, 10)
    wait_until(lambda: receiving.outcomes == [StoreOutcome.NO_RULE, StoreOutcome.BROKEN] * 3, 10)


def test_an_object_that_arrives_at_the_end_lies_nowhere_else(make_receiving: MakeReceiving) -> None:
    data, uid = ct_slice()
    before = tempfile.tempdir
    with make_receiving() as receiving, associated(receiving.port) as association:
        assert tempfile.tempdir == before
        for each in parts_of(association, data, uid)[:-1]:
            association.dul.send_pdu(each)
        wait_until(lambda: bool(receiving.arriving), 10)
        receiving.provider.stop()
        # The associations have ended by then.
        assert receiving.arriving == []
        assert receiving.outcomes == [StoreOutcome.BROKEN]


def test_a_state_that_takes_nothing_asks_the_sender_to_come_again(receiving: Receiving, tmp_path: Path) -> None:
    data, uid = ct_slice()
    with sqlite3.connect(tmp_path / "state.db") as state:
        state.execute("ALTER TABLE jobs RENAME TO gone")
    with associated(receiving.port) as association:
        assert sent(association, data, uid=uid).Status == 0xA701
        state.execute("ALTER TABLE gone RENAME TO jobs")
        state.close()
        assert sent(association, data, uid=uid).Status == 0x0000
    assert receiving.outcomes == [StoreOutcome.FULL, StoreOutcome.KEPT]
    assert receiving.arriving == []


def test_a_fault_of_ours_is_told_and_counted(receiving: Receiving) -> None:
    data, uid = ct_slice()

    def no_clock() -> float:
        raise RuntimeError("no time")

    receiving.provider.reception = replace(receiving.reception, clock=no_clock)
    with associated(receiving.port) as association:
        assert sent(association, data, uid=uid).Status == 0xC001
    assert receiving.outcomes == [StoreOutcome.FAILED]
    assert receiving.arriving == []


def test_connections_are_counted_before_anything_is_read(make_receiving: MakeReceiving) -> None:
    with make_receiving(replace(BOUNDS, idle_s=3.0)) as receiving:
        held = [socket.create_connection(("127.0.0.1", receiving.port), timeout=10) for _ in range(8)]
        with socket.create_connection(("127.0.0.1", receiving.port), timeout=10) as beyond:
            assert beyond.recv(1) == b""
        for each in held:
            each.setblocking(False)
            with pytest.raises(BlockingIOError):  # it has not been ended
                each.recv(1)
            each.close()

        def let_in() -> bool:
            with associated(receiving.port) as association:
                return bool(association.is_established)

        wait_until(let_in, 20)


def test_what_was_kept_and_cannot_be_read_any_more_is_removed_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "received" / "1.2.3.dcm"
    file.parent.mkdir()
    file.write_bytes(bytes(900))
    lost: list[None] = []
    reception = replace(reception_in(tmp_path, max_bytes=1_000), lost=lambda: lost.append(None))
    reception.recover()
    assert not file.exists()
    assert len(lost) == 1
    reception.inbox.take_room(900)
