"""What a reference is worth, and how questions are read for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from prompt4trust.questions import Question
from prompt4trust.shift import PictureAndWords, fit
from prompt4trust.shift.checking import beyond, judge_held_out, separation
from prompt4trust.shift.reading import UnreadablePictureError, describe_questions, read_picture
from tests.prompt4trust.shift.questions import described, picture


def test_shares_have_exact_intervals() -> None:
    share = beyond(np.array([0.98, 0.99, 0.995, 0.1]), 0.99)
    assert (share.count, share.n, share.value) == (2, 4, 0.5)
    assert (share.low, share.high) == pytest.approx((0.0676, 0.9324), abs=1e-4)  # Clopper and Pearson's table
    none = beyond(np.zeros(20), 0.99)
    assert (none.low, none.high) == pytest.approx((0, 1 - 0.025 ** (1 / 20)))


def test_separation_is_the_area_under_the_curve() -> None:
    rng = np.random.default_rng(0)
    usual, unusual = rng.random(200).round(1), (0.3 + 0.7 * rng.random(300)).round(1)
    found = separation(usual, unusual, resamples=100)
    assert found.value == pytest.approx(roc_auc_score([0] * 200 + [1] * 300, [*usual, *unusual]))
    assert found.low < found.value < found.high


def test_each_half_judges_the_other() -> None:
    rows = described(600)
    fitted = fit(rows, PictureAndWords())
    usual, none = judge_held_out(fitted, rows)
    assert none == {}
    assert {name: len(scores) for name, scores in usual.items()} == {"picture": 400, "words": 400, "both": 400}
    # Never by itself: the largest distance of all has nothing as large to be compared with.
    first, second = fitted.held["picture"][:200], fitted.held["picture"][200:]
    by_hand = [1 - (1 + sum(other >= each for other in second)) / 201 for each in first]
    assert usual["picture"][:200] == pytest.approx(by_hand)
    strange = judge_held_out(fitted, rows, described(30, seed=4, kind="stripes"))[1]
    assert separation(usual["both"], strange["both"], resamples=10).value > 0.99
    assert separation(usual["words"], strange["words"], resamples=10).value < 0.7


@pytest.mark.parametrize(
    ("mode", "pixel", "expected_mode", "expected"),
    [
        ("L", 40, "L", 40),
        ("1", 255, "L", 255),
        ("RGB", (1, 2, 3), "RGB", (1, 2, 3)),
        ("RGBA", (200, 100, 50, 0), "RGB", (0, 0, 0)),
        ("LA", (200, 255), "RGB", (200, 200, 200)),
        ("P", 0, "RGB", (0, 0, 0)),
    ],
)
def test_pictures_are_read_as_the_gateway_hands_them_on(
    tmp_path: Path, mode: str, pixel: object, expected_mode: str, expected: object
) -> None:
    Image.new(mode, (9, 5), pixel).save(tmp_path / "picture.png")  # type: ignore[arg-type]
    found = read_picture(tmp_path / "picture.png")
    assert (found.mode, found.size, found.getpixel((3, 3))) == (expected_mode, (9, 5), expected)


def test_deep_grey_is_windowed_and_turned_pictures_stand_upright(tmp_path: Path) -> None:
    Image.fromarray(np.array([[1000, 1500, 2000]], dtype=np.uint16)).save(tmp_path / "deep.png")
    assert np.asarray(read_picture(tmp_path / "deep.png")).tolist() == [[0, 128, 255]]
    lying = Image.fromarray(np.arange(0, 240, 40, dtype=np.uint8).reshape(2, 3))
    turned = lying.getexif()
    turned[0x0112] = 6
    lying.save(tmp_path / "turned.png", exif=turned)
    assert read_picture(tmp_path / "turned.png").size == (2, 3)


def test_questions_are_described_in_order_and_a_bad_file_is_named(tmp_path: Path) -> None:
    picture(np.random.default_rng(0)).save(tmp_path / "one.png")
    asked = [Question("1", "Which side?", {"A": "Left", "B": "Right"}, image=tmp_path / "one.png"), Question("2", "?")]
    seen = []
    found = describe_questions(asked, PictureAndWords(), lambda: seen.append(1))
    assert [list(each.traits) for each in found] == [["picture", "words"], ["words"]]
    assert len(seen) == 2
    for content in (b"no picture", b"\x89PNG\r\n\x1a\n cut short"):
        (tmp_path / "bad.png").write_bytes(content)
        with pytest.raises(UnreadablePictureError, match=r"bad\.png cannot be read"):
            read_picture(tmp_path / "bad.png")
