"""Shards of an evaluation, which run side by side: cut, and put together again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from prompt4trust.datasets import Dataset
from prompt4trust.evaluation import Prediction, PredictionLog, RunManifest, read_manifest, read_predictions
from prompt4trust.evaluation.manifest import FILE as MANIFEST
from prompt4trust.evaluation.manifest import claim
from trustvqa.cli.errors import ShardError

_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `count`-th question of a dataset, from the one at place `index` on (0 <= index < count)."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "INDEX/COUNT", the index from 0 on, as a Job counts its pods.

        Raises:
            ShardError: If it is no such thing.
        """
        found = _SHARD.fullmatch(text)
        if found is None or int(found[1]) >= int(found[2]):
            raise ShardError(f"--shard {text!r}: give INDEX/COUNT, with INDEX from 0 to COUNT - 1")
        return cls(int(found[1]), int(found[2]))

    def of(self, dataset: Dataset) -> Dataset:
        """Take this shard of a dataset; all shards together hold every question once.

        Raises:
            ShardError: If there are fewer questions than shards.
        """
        if len(dataset.questions) < self.count:
            raise ShardError(f"{self.count} shards of {len(dataset.questions)} questions would leave some empty")
        name = f"{dataset.name} {self.index}/{self.count}"
        return replace(dataset, name=name, questions=dataset.questions[self.index :: self.count])


def merge(folder: Path, dataset: Dataset, out: Path) -> tuple[RunManifest, list[Prediction]]:
    """Make one run of the runs of all shards; no model is asked.

    Args:
        folder: Holds the folders of the shards' runs, of every one.
        dataset: The whole, drawn as it was for the shards.
        out: Folder of the run that is made; one that holds it already is brought up to date.

    Returns:
        The run's manifest, and the predictions and failures in the order of the questions, then of the estimators.

    Raises:
        ShardError: If the folder does not hold the shards of these questions, or they were asked differently.
        ManifestError, TableError: If a run cannot be read, or `out` holds another one.
    """
    places = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    if not places:
        raise ShardError(f"{folder} holds no folder with a run")
    manifests = [read_manifest(place) for place in places]
    _check_complete(folder, dataset, manifests)
    whole = _whole(folder, dataset, manifests)
    ranks = {question.id: rank for rank, question in enumerate(dataset.questions)}
    rows = [row for place in places for row in read_predictions(place)]
    if unfinished := len(ranks) * len(whole.estimators) - len({row.key for row in rows}):
        raise ShardError(f"{unfinished} questions were not asked yet: let the shards in {folder} finish")
    rows.sort(key=lambda row: (ranks[row.id], whole.estimators.index(row.estimator)))
    with PredictionLog(out) as log:
        known = {row.key: row for row in log.rows}
        standing = claim(out, whole, empty=not known)
        for row in rows:
            if known.get(row.key) != row:
                log.append(row)
    return standing, rows


def _check_complete(folder: Path, dataset: Dataset, manifests: Sequence[RunManifest]) -> None:
    count = len(manifests)
    missing = {Shard(index, count).of(dataset).fingerprint for index in range(count)}
    missing -= {manifest.data_hash for manifest in manifests}
    if missing:
        raise ShardError(
            f"the {count} runs in {folder} are not the {count} shards of these questions: is one missing, or were the "
            "questions or their draw (--limit, --seed) others?"
        )


def _whole(folder: Path, dataset: Dataset, manifests: Sequence[RunManifest]) -> RunManifest:
    """Describe the run that all shards together are, and check that they are of one kind."""
    first = min(manifests, key=lambda manifest: manifest.created)
    changes = {
        "dataset": dataset.name,
        "data_hash": dataset.fingerprint,
        "questions": len(dataset.questions),
        "source": dataset.source,
    }
    whole = first.model_copy(update=changes)
    for manifest in manifests:
        if differences := whole.differences(manifest.model_copy(update=changes)):
            raise ShardError(f"the shards in {folder} were not asked alike: {'; '.join(differences)}")
    return whole
