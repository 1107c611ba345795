"""Events on disk: in order, in whole lines, readable from any place."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.trainer.run_files.events import EVENTS, EventLog, read_events
from services.trainer.run_files.json_lines import tail


def test_what_is_written_is_read_from_every_place(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    for number in range(5):
        log.write("step", step=number, reward=math.nan, text="é\nü")
    events, end = read_events(tmp_path, 0)
    assert [event.data["step"] for event in events] == list(range(5))
    assert events[0].name == "step"
    assert events[0].data["reward"] is None
    assert end == (tmp_path / EVENTS).stat().st_size == events[-1].end
    assert read_events(tmp_path, end) == ([], end)
    for number, event in enumerate(events):
        assert [each.data["step"] for each in read_events(tmp_path, event.end)[0]] == list(range(number + 1, 5))
        # A place within a line counts as that line's end.
        assert [each.data["step"] for each in read_events(tmp_path, event.end - 3)[0]] == list(range(number + 1, 5))


def test_there_need_be_no_events_and_a_place_beyond_the_end_has_none(tmp_path: Path) -> None:
    assert read_events(tmp_path, 0) == ([], 0)
    EventLog(tmp_path).write("note", text="x")
    for place in (10_000, 10**15 - 1, 2**63 - 1):  # no file may be so large on ext4, and none at all
        assert read_events(tmp_path, place) == ([], place)


def test_a_line_that_a_crash_cut_off_harms_no_other(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.write("step", step=1)
    with (tmp_path / EVENTS).open("a") as stream:
        stream.write('{"event": "st')
    before, place = read_events(tmp_path, 0)
    log.write("step", step=2)
    after, _ = read_events(tmp_path, place)
    assert [event.data["step"] for event in (*before, *after)] == [1, 2]


def test_several_writers_do_not_break_each_others_lines(tmp_path: Path) -> None:
    def write(writer: int) -> None:
        log = EventLog(tmp_path)
        for number in range(100):
            log.write("step", writer=writer, number=number, padding="x" * 500)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, place = [], 0
    while (part := read_events(tmp_path, place))[0]:
        found += part[0]
        place = part[1]
    assert len(found) == 400
    for writer in range(4):
        assert [event.data["number"] for event in found if event.data["writer"] == writer] == list(range(100))


def test_a_line_without_end_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / EVENTS).write_bytes(b'{"event": "a"}\n' + b"x" * 700_000 + b'\n{"event": "b"}\n')
    names, place = [], 0
    for _ in range(6):
        events, place = read_events(tmp_path, place)
        names += [event.name for event in events]
    assert names == ["a", "b"]


@given(st.lists(st.integers(0, 40_000), max_size=12), st.integers(1, 8))
def test_the_tail_is_the_last_whole_lines(tmp_path_factory: object, sizes: list[int], count: int) -> None:
    lines = [json.dumps({"n": n, "text": "x" * (size // 8)}) for n, size in enumerate(sizes)]
    path = tmp_path_factory.mktemp("tail") / "lines.jsonl"  # type: ignore[attr-defined]
    path.write_text("".join(line + "\n" for line in lines) + '{"n": "cut o')
    assert [record["n"] for record in tail(path, count)] == list(range(len(sizes)))[-count:]


def test_there_need_be_no_file_for_a_tail(tmp_path: Path) -> None:
    assert tail(tmp_path / "absent", 3) == []
