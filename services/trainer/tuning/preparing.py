"""Checks of a tuning run before anything is spent on it, and its folder."""

from __future__ import annotations

from pathlib import Path

from prompt4trust.files import write_atomically
from services.common.contrastive.kinds import is_contrastive
from services.common.registry.directory import Registry
from services.trainer.errors import RunError, VersionTakenError
from services.trainer.run_files.configuration import CONFIG, reading_configuration
from services.trainer.run_files.provenance import was_published_by
from services.trainer.tuning.config import TuningConfig, TuningSpec


def find_base(name: str, registry: Registry, shipped: Path) -> Path:
    """Find a contrastive model by its name: in the registry, or among those that are shipped.

    Raises:
        RunError: If there is none of that name, or it is a model of another kind.
    """
    for directory in (registry.contrastive_path(name), shipped / name):
        if (directory / "config.json").is_file():
            if not is_contrastive(directory):
                raise RunError(f"{name!r} is no contrastive model")
            return directory.absolute()
    raise RunError(f"neither the registry nor what is shipped has a contrastive model {name!r}")


def prepare(
    folder: Path, config: TuningConfig, registry: Path, shipped: Path, data: Path, parts: Path | None = None
) -> TuningSpec:
    """Make a folder a tuning run's.

    Args:
        folder: The run's folder; it may be there, but no other run may be in it.
        config: Its configuration.
        registry: Directory of versions.
        shipped: Directory of the models that are shipped.
        data: Directory of drawn phantoms.
        parts: Directory of pretrained parts; None for the registry's.

    Raises:
        RunError: If the model cannot be used, the folder holds another run, or the version's name is taken.
        OSError: If the folder cannot be written.
    """
    there = Registry(registry)
    base = find_base(config.model, there, shipped)
    check_version_is_free(there, config.version, folder.name)
    spec = TuningSpec(
        config=config,
        base=base,
        registry=registry.absolute(),
        data=data.absolute(),
        parts=None if parts is None else parts.absolute(),
    )
    if (folder / CONFIG).exists() and read_spec(folder).config != config:
        raise RunError(f"{folder} holds a run of another configuration: resume that one, or name another folder")
    write_atomically(folder / CONFIG, spec.model_dump_json(indent=2) + "\n")
    return spec


def read_spec(folder: Path) -> TuningSpec:
    """Read a run's config.json.

    Raises:
        RunError: If the folder holds no tuning run.
    """
    with reading_configuration(folder) as path:
        return TuningSpec.model_validate_json(path.read_bytes())


def check_version_is_free(registry: Registry, version: str, run: str) -> bool:
    """Check that a version's name is free (True) or was published by this very run (False).

    Raises:
        VersionTakenError: If another has the name.
    """
    directory = registry.contrastive_path(version)
    if not directory.exists():
        return True
    if was_published_by(directory, run):
        return False
    raise VersionTakenError(
        f"the registry has a contrastive model {version!r} already, and versions never change: choose another name"
    )
