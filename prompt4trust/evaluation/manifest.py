"""A run's configuration, written beside its predictions, so that no two configurations mix in one table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from prompt4trust.calibration import CalibrationKey
from prompt4trust.datasets import Dataset, Source
from prompt4trust.errors import ManifestError
from prompt4trust.estimators import ESTIMATORS, wording_of
from prompt4trust.files import write_atomically
from prompt4trust.meaning import open_wording
from prompt4trust.models import Decoding, Sampling
from prompt4trust.picture_files import PREPARATION
from prompt4trust.pictures import PicturePreparation
from prompt4trust.prompts import PromptTemplate

FILE = "run.json"


class RunManifest(BaseModel):
    """The configuration of a prediction run.

    Attributes:
        dataset: The dataset's name, for readers.
        data_hash: Fingerprint of the questions (see `prompt4trust.datasets.fingerprint`).
        questions: Their number.
        estimators: Their names, in order.
        downstream: The downstream model's name.
        policy: The policy's version, or None where no estimator asks it.
        template: Name, version and hash of the answer template.
        sampling: The downstream model's decoding, as it was asked for.
        software: Version of this library.
        created: When the run was begun; not part of the configuration.
        notes: Anything else worth knowing (an address, a revision); not part of the configuration.
        source: Origin of the questions, or None where that is not known; not part of the configuration.
        decoding: The decoding that each estimator really used, by its name; empty in older files.
        picture_preparation: What pictures went through; None in older files.
        judge: Says which answers to open questions are right; None where none does, and these are in no figure.
        typicality: Signal by which the questions' nearness to reference inputs is recorded; None where it is not.
        second: The second downstream model's name; None where no estimator asks one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    data_hash: str
    questions: int
    estimators: tuple[str, ...]
    downstream: str
    policy: str | None
    template: str
    sampling: Mapping[str, float | int | None]
    software: str
    created: datetime
    notes: Mapping[str, str] = {}
    source: Source | None = None
    decoding: Mapping[str, Decoding] = {}
    picture_preparation: PicturePreparation | None = None
    judge: str | None = None
    typicality: str | None = None
    second: str | None = None

    @classmethod
    def describe(
        cls,
        dataset: Dataset,
        estimators: Sequence[str],
        *,
        downstream: str,
        policy: str | None,
        template: PromptTemplate,
        sampling: Sampling,
        created: datetime,
        decoding: Mapping[str, Decoding],
        notes: Mapping[str, str] | None = None,
        typicality: str | None = None,
        second: str | None = None,
    ) -> Self:
        """Describe a run that is about to begin, on pictures that `picture_files` reads.

        The class describes the arguments.
        """
        wording = hashlib.sha256(template.model_dump_json().encode()).hexdigest()[:12]
        return cls(
            dataset=dataset.name,
            data_hash=dataset.fingerprint,
            questions=len(dataset.questions),
            estimators=tuple(estimators),
            downstream=downstream,
            policy=policy,
            template=f"{template.id} ({wording})",
            sampling={name: value for name, value in asdict(sampling).items() if name != "response_format"},
            software=_software(),
            created=created,
            notes=notes or {},
            source=dataset.source,
            decoding=dict(decoding),
            picture_preparation=PREPARATION,
            judge=dataset.judge,
            typicality=typicality,
            second=second,
        )

    @property
    def template_id(self) -> str:
        """The template's name and version, without its hash."""
        return self.template.partition(" ")[0]

    def calibration_key(self, estimator: str) -> CalibrationKey:
        """Name the calibration key that the confidences by one of the run's estimators belong to.

        A run of an older version recorded too little: its key fits no evidence.
        """
        entry = ESTIMATORS.get(estimator)
        wording = wording_of(estimator, self.template_id, self.second)
        return CalibrationKey(
            downstream=self.downstream,
            policy=self.policy if entry is None or entry.needs_policy else None,
            estimator=estimator,
            answer_template=wording if self.judge is None else open_wording(wording, self.judge),
            decoding=self.decoding.get(estimator),
            picture_preparation=self.picture_preparation,
        )

    def differences(self, other: RunManifest) -> list[str]:
        """List the differences from another run's configuration, one line each."""
        mine, theirs = self._configuration(), other._configuration()
        return [f"{name}: {theirs[name]} there, {mine[name]} now" for name in mine if mine[name] != theirs[name]]

    def _configuration(self) -> dict[str, object]:
        recorded = self.model_dump(mode="json", exclude={"created", "notes", "dataset", "source"})
        pictures = self.picture_preparation
        return {
            **recorded,
            "decoding": {name: each.line for name, each in self.decoding.items()} or "not recorded",
            "picture_preparation": "not recorded" if pictures is None else pictures.line,
        }


class TableOrigin(BaseModel):
    """Origin of figures that were made from a table of confidences and outcomes: no run, so no models and no hashes.

    Attributes:
        dataset: The table's name.
        questions: Its rows.
        estimators: Name of the method that the confidences are by, alone.
        software: Version of this library.
        created: When the figures were made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    questions: int
    estimators: tuple[str, ...]
    software: str
    created: datetime

    @classmethod
    def describe(cls, name: str, rows: int, method: str, created: datetime) -> Self:
        """Describe a table; see the class for the arguments."""
        return cls(dataset=name, questions=rows, estimators=(method,), software=_software(), created=created)

    @property
    def data_hash(self) -> None:
        """None: the questions behind a table are not known."""
        return


def read_manifest(folder: Path) -> RunManifest:
    """Read a run's manifest.

    Raises:
        ManifestError: If there is none, or it cannot be read.
    """
    path = folder / FILE
    try:
        return RunManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror or error}") from error
    except ValidationError as error:
        raise ManifestError(f"{path}: not a run's manifest: {error.errors()[0]['msg']}") from error


def claim(folder: Path, manifest: RunManifest, *, empty: bool) -> RunManifest:
    """Make a folder this run's, or check that it is.

    Args:
        folder: The run's folder, which exists.
        manifest: The configuration now.
        empty: Whether the folder's predictions table is empty.

    Returns:
        The manifest that stands in the folder: the first one written, with its date and notes.

    Raises:
        ManifestError: If the folder holds a run of another configuration.
    """
    path = folder / FILE
    if not path.exists():
        if not empty:
            raise ManifestError(f"{folder} holds predictions but no {FILE} to say of what; choose another folder")
        write_atomically(path, manifest.model_dump_json(indent=2) + "\n")
        return manifest
    standing = read_manifest(folder)
    if differences := manifest.differences(standing):
        lines = "".join(f"\n  {line}" for line in differences)
        raise ManifestError(f"{folder} holds a run of another configuration; choose another folder:{lines}")
    return standing


def _software() -> str:
    try:
        return f"trustvqa {version('trustvqa')}"
    except PackageNotFoundError:
        return "trustvqa (not installed)"
