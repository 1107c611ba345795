"""A log that is copied piece by piece, by several processes, some of which die: every line once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.trainer.executors.logs import LogCopy

BEGIN = datetime(2026, 11, 22, 3, 0, 0, tzinfo=UTC)
JOB = "container abc"


def line(offset_s: float, text: str) -> bytes:
    when = BEGIN + timedelta(seconds=offset_s)
    return f"{when:%Y-%m-%dT%H:%M:%S.%f}789Z {text}".encode()


class Engine:
    """Keeps a log and hands it out as engines do."""

    def __init__(self) -> None:
        self.lines: list[tuple[datetime, bytes]] = []

    def say(self, offset_s: float, text: str) -> None:
        self.lines.append((BEGIN + timedelta(seconds=offset_s), line(offset_s, text)))

    def read(self, since: int | None) -> bytes:
        begin = datetime.fromtimestamp(since or 0, UTC)
        return b"".join(text + b"\n" for when, text in self.lines if when >= begin)


def body(path: Path) -> list[bytes]:
    return [each for each in path.read_bytes().split(b"\n")[:-1] if not each.startswith(b"#")]


STEPS = st.lists(
    st.one_of(
        # Seconds since the last line (lines may come a little out of order, and at the same moment), text.
        st.tuples(st.just("say"), st.sampled_from([-0.4, 0.0, 0.0, 0.2, 1.0, 7.0]), st.sampled_from("ab")),
        st.tuples(st.just("copy"), st.just(0.0), st.just("")),
        st.tuples(st.just("restart"), st.just(0.0), st.just("")),
        st.tuples(st.just("crash"), st.floats(0, 1), st.just("")),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_every_line_arrives_once_and_in_order(steps: list[tuple[str, float, str]], tmp_path_factory: object) -> None:
    assert isinstance(tmp_path_factory, pytest.TempPathFactory)
    path = tmp_path_factory.mktemp("log") / "log.txt"
    engine, copier, latest = Engine(), LogCopy(path, JOB), 0.0
    for kind, number, text in steps:
        if kind == "say":
            engine.say(latest + number, text)
            latest = max(latest, latest + number)
        elif kind == "copy":
            copier.add(engine.read(copier.since()))
        elif kind == "restart":
            copier = LogCopy(path, JOB)
        elif path.exists():  # killed in the middle of the last line's writing
            whole = path.read_bytes()
            last = whole.rstrip(b"\n").rfind(b"\n") + 1
            if whole.count(b"\n") > 1:
                path.write_bytes(whole[: last + round(number * (len(whole) - last))])
            copier = LogCopy(path, JOB)
    copier.add(engine.read(copier.since()), final=True)
    assert (body(path) if path.exists() else []) == [text for _, text in engine.lines]


def test_an_unfinished_line_is_left_until_it_is_finished_or_nothing_follows(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    copier = LogCopy(path, JOB)
    assert copier.add(line(0, "one") + b"\n" + line(1, "tw")) == 1
    assert copier.add(line(0, "one") + b"\n" + line(1, "two") + b"\n" + line(2, "three")) == 1
    assert copier.add(line(2, "three"), final=True) == 1
    assert copier.add(line(2, "three"), final=True) == 0
    assert body(path) == [line(0, "one"), line(1, "two"), line(2, "three")]


def test_the_pieces_of_a_long_line_become_one(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    stamp = line(0, "")
    LogCopy(path, JOB).add(stamp + b"a" * 16384 + stamp + b"b\n")
    assert body(path) == [stamp + b"a" * 16384 + b"b"]


def test_a_later_job_adds_to_what_an_earlier_one_left(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"of a child process, cut of")
    LogCopy(path, "container one").add(line(100, "first") + b"\n")
    # Another machine, whose clock is behind: its lines are no older ones of the first job.
    second = LogCopy(path, "container two")
    assert second.since() is None
    second.add(line(50, "second") + b"\n")
    assert path.read_bytes().split(b"\n") == [
        b"of a child process, cut of",
        b"# container one",
        line(100, "first"),
        b"# container two",
        line(50, "second"),
        b"",
    ]


def test_an_old_answer_that_comes_late_adds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    copier = LogCopy(path, JOB)
    early = line(0, "one") + b"\n"
    copier.add(early + line(10, "two") + b"\n")
    assert copier.add(early) == 0
    assert body(path) == [line(0, "one"), line(10, "two")]


def test_what_could_not_be_written_is_written_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "log.txt"
    copier = LogCopy(path, JOB)
    with pytest.raises(FileNotFoundError):
        copier.add(line(0, "one") + b"\n")
    path.parent.mkdir()
    assert copier.since() is None
    assert copier.add(line(0, "one") + b"\n") == 1
