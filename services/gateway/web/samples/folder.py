"""The page's samples out of a folder that the operator names: its pictures, and the questions of a file beside them."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image
from pydantic import ValidationError

from prompt4trust.datasets import DatasetError, load_dataset
from prompt4trust.errors import PictureError
from prompt4trust.pictures import PictureLimits, decode_picture
from services.gateway.errors import SampleFolderError
from services.gateway.question_schemas import Ask

MAX_SAMPLES: Final = 24
"""Samples that a page has room for."""
MAX_BYTES: Final = 64_000_000
"""Bytes of all pictures together, which the gateway keeps in memory."""
_QUESTION_FILES: Final = ("questions.csv", "questions.tsv", "questions.jsonl", "questions.json", "questions.parquet")
_THUMBNAIL: Final = 224  # pixels on a side; the page shows half of that, or all on a fine screen
_LONGEST_LABEL: Final = 40


@dataclass(frozen=True, slots=True)
class FolderSample:
    """A picture of the folder, and what is asked about it.

    Attributes:
        name: The file's name.
        label: What the page calls it; no two are called the same.
        content: The file, as it lies.
        thumbnail: A small PNG as a data: URL.
        question: The question, or None where there is none.
        options: Texts of its options; none for an open question.
    """

    name: str
    label: str
    content: bytes
    thumbnail: str
    question: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    path: Path
    question: str | None = None
    options: tuple[str, ...] = ()


def folder_samples(folder: Path, limits: PictureLimits, max_image_bytes: int) -> list[FolderSample]:
    """Read the samples of a folder.

    A file `questions.csv` (or .tsv, .jsonl, .json, .parquet), as `trustvqa evaluate` reads it, makes each of its
    questions a sample; what it says is right is not read on. Without one each file is a sample without a question.

    Args:
        folder: The folder. What begins with a dot is passed over, and so are folders within it but for pictures that
            the questions name.
        limits: Limits of a picture that a client may send.
        max_image_bytes: Largest file.

    Returns:
        One sample or more, in the order of the questions, or of the files' names.

    Raises:
        SampleFolderError: If a sample cannot be used, there is none, or there are too many; the message names the file.
    """
    if not folder.is_dir():
        raise SampleFolderError(f"{folder} is no folder")
    asked = _asked(folder)
    if not asked:
        raise SampleFolderError(f"{folder} holds no picture")
    if len(asked) > MAX_SAMPLES:
        raise SampleFolderError(f"{folder} has {len(asked)} samples, and {MAX_SAMPLES} are the most: take some out")
    read: dict[Path, tuple[bytes, str]] = {}
    for path in dict.fromkeys(each.path for each in asked):
        read[path] = _read(path, limits, max_image_bytes)
        if sum(len(content) for content, _ in read.values()) > MAX_BYTES:
            raise SampleFolderError(f"{folder}: with {path.name} the pictures have more than {MAX_BYTES / 1e6:.0f} MB")
    labels = _labels([each.path for each in asked])
    return [
        FolderSample(each.path.name, label, *read[each.path], each.question, each.options)
        for each, label in zip(asked, labels, strict=True)
    ]


def _asked(folder: Path) -> list[_Asked]:
    for name in _QUESTION_FILES:
        if (folder / name).is_file():
            return [*_of_questions(folder, folder / name)]
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise SampleFolderError(f"{folder} cannot be read: {error.strerror or error}") from error
    return [_Asked(path) for path in files]


def _of_questions(folder: Path, file: Path) -> Iterator[_Asked]:
    try:
        questions = load_dataset(file).questions
    except DatasetError as error:
        raise SampleFolderError(f"{error}; here the fields must show the format, as docs/data.md has them") from error
    root = folder.resolve()
    for each in questions:
        if each.image is None:
            raise SampleFolderError(f"{file}: question {each.id} names no picture")
        if not each.image.resolve().is_relative_to(root):
            raise SampleFolderError(f"{file}: question {each.id} names a picture outside the folder: {each.image}")
        try:
            asked = Ask.model_validate(
                {"question": each.text, "options": dict(each.options), "method": "any"}, context={"methods": ["any"]}
            )
        except ValidationError as error:
            raise SampleFolderError(
                f"{file}: question {each.id} cannot be asked: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
            ) from error
        yield _Asked(each.image, asked.question, tuple(asked.options.values()))


def _read(path: Path, limits: PictureLimits, max_image_bytes: int) -> tuple[bytes, str]:
    """Read a file, and make a thumbnail of it."""
    try:
        if (size := path.stat().st_size) > max_image_bytes:
            raise SampleFolderError(f"{path} has {size / 1e6:.1f} MB, and {max_image_bytes / 1e6:g} are the most")
        content = path.read_bytes()
        pixels = decode_picture(content, limits, filename=path.name).pixels
    except OSError as error:
        raise SampleFolderError(f"{path} cannot be read: {error.strerror or error}") from error
    except PictureError as error:
        raise SampleFolderError(f"{path} cannot be a sample: {error.detail}") from error
    small = pixels.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    stream = io.BytesIO()
    small.save(stream, "PNG")
    return content, f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _labels(paths: Sequence[Path]) -> Iterator[str]:
    """Call each sample by its file, and by a number as well where several are called the same."""
    stems = [path.stem[:_LONGEST_LABEL] for path in paths]
    counts, seen = Counter(stems), Counter[str]()
    for stem in stems:
        seen[stem] += 1
        yield f"{stem} ({seen[stem]})" if counts[stem] > 1 else stem
