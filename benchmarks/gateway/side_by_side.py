"""Pictures of real size through a gateway, through LiteLLM's proxy and straight to the model, taking turns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from benchmarks.gateway.real_size import QUESTION, SizedPicture, another
from benchmarks.gateway.sizing import figures
from benchmarks.phantoms import draw
from benchmarks.serving.litellm import litellm_version, running_litellm
from benchmarks.serving.load import Turn, ask_all
from benchmarks.serving.processes import Service, running_service
from benchmarks.serving.stand_ins import Received, models_that_reply_at_once, settings_for
from prompt4trust.calibration import CalibrationKey, fit_artifact
from prompt4trust.models import Decoding, Sampling
from prompt4trust.picture_files import PREPARATION
from prompt4trust.pictures import PictureLimits, decode_picture
from prompt4trust.shift import PictureAndWords, fit_reference
from services.common.registry.directory import Registry
from services.gateway.settings import GatewaySettings

MODEL = "model-1"
_CHAT = "/v1/chat/completions"
_DATASET = "phantom-vqa"
_ASKED: Final = (
    "Which side shows the effusion?",
    "On which side is the heart's apex?",
    "On which side is the diaphragm higher?",
    "Which lung is more opaque?",
    "Which hilum is larger?",
    "To which side is the trachea shifted?",
    "Which costophrenic angle is blunted?",
)
"""Questions about one picture: VQA-RAD has 2248 about 315."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to the model.

    Attributes:
        name: What tables call it.
        url: Where it is asked.
        path: What is posted to.
        service: Whose processor time counts, or None.
        model: The model's name there.
    """

    name: str
    url: str
    path: str
    service: Service | None
    model: str = MODEL

    def body(self, picture: SizedPicture, question: str = QUESTION) -> bytes:
        """Write a request's body."""
        return picture.vqa_body(question) if self.path == "/vqa" else picture.chat_body(self.model, question)


_Bodies = Callable[[Way], Sequence[bytes]]
"""Bodies of a way for its next turn."""


async def side_by_side(
    folder: Path,
    port: int,
    pictures: Sequence[SizedPicture],
    concurrencies: Sequence[int],
    rounds: int,
    answers: int,
    litellm: Path | None,
) -> dict[str, Any]:
    """Measure the ways with each picture.

    Args:
        folder: For settings, records and logs.
        port: First of three ports that are used.
        pictures: What is sent.
        concurrencies: How many at once.
        rounds: Turns of each way at each concurrency; one more warms up and does not count.
        answers: Questions a turn.
        litellm: LiteLLM's command; None leaves it out.

    Returns:
        Figures of each picture, concurrency and way; and the same of each JPEG where seven questions are asked of every
        picture. The gateway has a reference to compare pictures with and a calibrator, as a deployment has.
    """
    # The same body is sent again and again: each stands for a new picture and a new question.
    forgetful = {"KEPT_PICTURE_BYTES": "0", "KEPT_GUIDANCE": "0"}
    with _ways(folder, port, forgetful, litellm) as (ways, received):
        found = []
        for picture in pictures:
            count = _count(picture, answers)
            bodies = _again_and_again(picture, count)
            found.append(await _one_picture(picture, picture.name, ways, received, concurrencies, rounds, bodies))
    with _ways(folder, port, {}, litellm) as (ways, received):
        several = []
        for picture in (each for each in pictures if each.media_type == "image/jpeg"):
            bodies = SeveralQuestions(picture, max(1, round(_count(picture, answers) / len(_ASKED))))
            name = f"{picture.name}, each picture another one, seven questions about each, pictures kept"
            several.append(await _one_picture(picture, name, ways, received, concurrencies, rounds, bodies))
    version = None if litellm is None else litellm_version(litellm)
    return {"litellm": version, "pictures": found, "several_questions": several}


@contextmanager
def _ways(
    folder: Path, port: int, settings: Mapping[str, str], litellm: Path | None
) -> Iterator[tuple[Sequence[Way], Received]]:
    """Start the models, a gateway with evidence and records, and the peer, for the length of a block."""
    own = Path(tempfile.mkdtemp(dir=folder))
    _publish_evidence(own / "registry")
    told = settings_for(port, own, f"sqlite:///{own}/records.db") | {"DOWNSTREAM_MODEL": MODEL, **settings}
    with ExitStack() as stack:
        received = stack.enter_context(models_that_reply_at_once(port))
        gateway = stack.enter_context(running_service("gateway", port + 1, told, own, ready="/health/live"))
        ways = [
            Way("gateway", gateway.url, "/vqa", gateway),
            Way("gateway, chat", gateway.url, _CHAT, gateway, "calibrated-vqa"),
        ]
        if litellm is not None:
            models = f"http://127.0.0.1:{port}/v1"
            proxy = stack.enter_context(running_litellm(litellm, port + 2, MODEL, models, own))
            ways.append(Way("LiteLLM", proxy.url, _CHAT, proxy))
        yield [*ways, Way("model alone", f"http://127.0.0.1:{port}", _CHAT, None)], received


def _count(picture: SizedPicture, answers: int) -> int:
    # Megabytes take their time: fewer of them.
    return max(8, int(answers / (1 + len(picture.file) / 1e6)))


def _again_and_again(picture: SizedPicture, count: int) -> _Bodies:
    return lambda way: [way.body(picture)] * count


class SeveralQuestions:
    """Seven questions about each of some pictures, picture by picture; in each turn other pictures and questions.

    Args:
        picture: A JPEG that the others are made of.
        count: Pictures a turn.
    """

    def __init__(self, picture: SizedPicture, count: int) -> None:
        self._picture = picture
        self._count = count
        self._made = 0

    def __call__(self, way: Way) -> Sequence[bytes]:
        """Write the bodies of a way's next turn."""
        bodies = []
        for _ in range(self._count):
            self._made += 1
            picture = another(self._picture, self._made)
            # In letters: a question with numbers is looked at for a verdict of its own.
            study = "".join(chr(ord("a") + int(digit)) for digit in str(self._made))
            bodies += [way.body(picture, f"{question} Study {study}.") for question in _ASKED]
        return bodies


async def _one_picture(
    picture: SizedPicture,
    name: str,
    ways: Sequence[Way],
    received: Received,
    concurrencies: Sequence[int],
    rounds: int,
    bodies: _Bodies,
) -> dict[str, Any]:
    turns: dict[tuple[str, int], list[Turn]] = {(way.name, at): [] for way in ways for at in concurrencies}
    spent: dict[tuple[str, int], list[float]] = {key: [] for key in turns}
    downstream: dict[str, int] = {}
    for counted in range(-1, rounds):
        for together in concurrencies:
            for way in _rotated(ways, counted):
                asked = bodies(way)
                before = way.service.cpu_s() if way.service else 0.0
                turn = await ask_all(way.url, asked, together, path=way.path)
                used = (way.service.cpu_s() if way.service else 0.0) - before
                downstream[way.name] = received.picture_bytes()
                if counted >= 0:
                    turns[way.name, together].append(turn)
                    spent[way.name, together].append(1e3 * used / max(len(turn.answered), 1))
    return {
        "picture": name,
        "bytes": len(picture.file),
        "downstream_bytes": downstream,
        "concurrencies": [
            {way.name: figures(turns[way.name, at]) | {"cpu_ms": round(median(spent[way.name, at]), 1)} for way in ways}
            for at in concurrencies
        ],
    }


def _rotated(ways: Sequence[Way], by: int) -> Iterator[Way]:
    """Change the order from round to round, so that none always runs while the machine is at its best."""
    for place in range(len(ways)):
        yield ways[(place + by) % len(ways)]


def _publish_evidence(root: Path) -> None:
    """Give the gateway what makes it describe pictures and correct confidences."""
    registry, descriptor = Registry(root), PictureAndWords()
    described = [
        descriptor.describe(decode_picture(each.png, PictureLimits()).reduced, each.text, _lettered(each.options))
        for each in draw(450, seed=1)
    ]
    now = datetime.now(UTC)
    rng = np.random.default_rng(0)
    key = CalibrationKey(
        downstream=MODEL,
        policy="policy-1",
        estimator="cgp",
        answer_template=GatewaySettings().answer_template,
        decoding=Decoding.of(Sampling()),
        picture_preparation=PREPARATION,
    )
    registry.calibrators.publish(
        fit_artifact(
            rng.uniform(0.8, 0.99, 200), rng.random(200) < 0.7,
            name="platt", family="platt", key=key, dataset=_DATASET, clock=lambda: now, resamples=20,
        )
    )  # fmt: skip
    registry.references.publish(
        fit_reference(
            described,
            descriptor,
            name="phantoms",
            dataset=_DATASET,
            questions="sha256:" + "0" * 64,
            clock=lambda: now,
            picture_preparation=PREPARATION,
        )
    )


def _lettered(options: Sequence[str]) -> Mapping[str, str]:
    return dict(zip("ABCDEFGH", options, strict=False))
