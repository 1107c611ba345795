"""Perturbation: how long an answer stands, and the noise that it has to stand."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from prompt4trust.estimators import Perturbation, get_estimator
from prompt4trust.estimators._noise import DEVIATION, NoisyPicture
from prompt4trust.models import Cost, Sampling, TransportError
from prompt4trust.verdict import Invalid, Verdict
from tests.prompt4trust.estimators.scripts import OPTIONS, TEMPLATE, Texts, said

GREEDY = Sampling()


def url_of(pixels: npt.NDArray[np.uint8], form: str = "PNG") -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return f"data:image/{form.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"


def pixels_of(url: str) -> npt.NDArray[np.float64]:
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        return np.asarray(picture, dtype=np.float64)


GREY = np.full((60, 80), 128, dtype=np.uint8)
GREY[:, 40:] = 160
PICTURE = url_of(GREY)


def pictures(downstream: Texts) -> list[str]:
    return [messages[-1]["content"][0]["image_url"]["url"] for messages, _, _ in downstream.requests]


@pytest.mark.parametrize(
    ("replies", "confidence", "calls"),
    [
        ([said("A", 90), said("B", 90)], 0.0, 2),
        ([said("A", 90), said("A", 10), said("A", 10), "no idea", said("A", 90)], 2 / 9, 4),
        ([said("A", 90)] * 10, 1.0, 10),
    ],
    ids=["falls at once", "an invalid reply ends it", "stands to the end"],
)
async def test_the_share_of_strengths_that_the_answer_stands(replies: list[str], confidence: float, calls: int) -> None:
    downstream = Texts(replies)
    answer = await get_estimator("perturbation", downstream, None, TEMPLATE, GREEDY).answer("Q?", OPTIONS, PICTURE)
    assert answer.verdict == Verdict("A", pytest.approx(confidence))  # type: ignore[arg-type]
    assert answer.text == replies[0]
    assert answer.cost == Cost(calls, 10 * calls, 5 * calls, 0.5 * calls)
    assert answer.signals["stated"] == 0.9
    assert answer.signals["noise_stood"] == pytest.approx(confidence * 0.9)
    assert pictures(downstream)[0] == PICTURE
    assert len(set(pictures(downstream))) == calls
    assert all(sampling == GREEDY for _, sampling, _ in downstream.requests)


async def test_the_same_run_draws_the_same_noise_and_another_run_other_noise() -> None:
    seen = []
    for seed in (None, 0, 1):
        downstream = Texts([said("A", 90)] * 3)
        estimator = Perturbation(downstream, TEMPLATE, Sampling(seed=seed), (0.3, 0.6))
        await estimator.answer("Q?", OPTIONS, PICTURE)
        seen.append(pictures(downstream))
    assert seen[0] == seen[1]
    assert seen[1][1:] != seen[2][1:]


async def test_what_cannot_be_perturbed() -> None:
    downstream = Texts([])
    answer = await get_estimator("perturbation", downstream, None, TEMPLATE, GREEDY).answer("Q?", OPTIONS, None)
    assert answer.verdict == Invalid("no_image")
    assert downstream.requests == []
    answer = await get_estimator("perturbation", Texts(["?"]), None, TEMPLATE, GREEDY).answer("Q?", OPTIONS, PICTURE)
    assert answer.verdict == Invalid("no_answer")
    for url in ("data:image/png;base64,AAAA", "data:image/png;base64,!", "data:,x", "http://host/x.png"):
        with pytest.raises(TransportError, match=r"^image: the picture cannot be read"):
            await get_estimator("perturbation", Texts([said("A", 9)]), None, TEMPLATE, GREEDY).answer(
                "Q?", OPTIONS, url
            )


async def test_open_questions_are_compared_as_text() -> None:
    texts = ["The answer is left lung with confidence 70.", "The answer is Left lung with confidence 1.", said("A", 1)]
    answer = await Perturbation(Texts(texts), TEMPLATE, GREEDY, (0.2, 0.4)).answer("Where?", {}, PICTURE)
    assert answer.verdict == Verdict("left lung", 0.5)


@pytest.mark.parametrize("strengths", [(), (0.0, 0.5), (0.5, 0.4), (0.5, 0.5), (0.5, 1.1)])
def test_strengths_that_make_no_sense_are_refused(strengths: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="strengths must rise"):
        Perturbation(Texts([]), TEMPLATE, GREEDY, strengths)


def test_noise_takes_the_place_of_the_picture() -> None:
    noisy = NoisyPicture(PICTURE, 5)
    assert np.array_equal(pixels_of(noisy.at(0.0)), GREY)
    # The mean stays, the picture's own contrast shrinks by sqrt(1 - s), and the noise has its deviation.
    for strength in (0.25, 0.64):
        made = pixels_of(noisy.at(strength))
        step = made[:, 40:].mean() - made[:, :40].mean()
        assert made.mean() == pytest.approx(144, abs=3)
        assert step == pytest.approx(32 * np.sqrt(1 - strength), abs=4)
        assert made[:, :40].std() == pytest.approx(255 * DEVIATION * np.sqrt(strength), rel=0.1)
    gone = pixels_of(noisy.at(1.0))
    assert np.array_equal(gone, pixels_of(NoisyPicture(url_of(GREY[:, ::-1]), 5).at(1.0)))


def test_every_strength_has_the_same_noise() -> None:
    noisy = NoisyPicture(url_of(np.full((50, 50), 128, np.uint8)), 5)
    weak, strong = (pixels_of(noisy.at(strength)) - 128 for strength in (0.04, 0.16))
    assert np.abs(strong - 2 * weak).max() <= 2


def test_colour_size_and_grain() -> None:
    colours = np.zeros((30, 20, 3), dtype=np.uint8)
    colours[..., 0] = 200
    made = pixels_of(NoisyPicture(url_of(colours), 1).at(0.1))
    assert made.shape == (30, 20, 3)
    large = pixels_of(NoisyPicture(url_of(np.full((1500, 2048), 99, np.uint8)), 1).at(0.5))
    assert large.shape == (750, 1024)
    assert len(np.unique(large[:4, :4])) == 1
    assert len(np.unique(large)) > 50
    see_through = Image.new("LA", (9, 9), (90, 10))
    stream = io.BytesIO()
    see_through.save(stream, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    assert pixels_of(NoisyPicture(url, 1).at(0.0)).shape == (9, 9, 3)
