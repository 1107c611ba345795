"""Folders of training runs: config.json says what the run is, checked before hours are spent."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from prompt4trust.files import write_atomically
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.trainer.errors import RunError, StartPolicyError, VersionTakenError
from services.trainer.grpo.config.renamed_settings import translate_renamed
from services.trainer.grpo.config.training_config import TrainingConfig
from services.trainer.grpo.connection import Connection
from services.trainer.grpo.start_policy import find_start
from services.trainer.run_files.configuration import CONFIG, reading_configuration
from services.trainer.run_files.provenance import was_published_by


class TrainingSpec(BaseModel):
    """A training run's config.json: written once, before it begins, and read whenever it is executed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: TrainingConfig
    connection: Connection


def prepare(folder: Path, config: TrainingConfig, connection: Connection) -> None:
    """Make a folder a run's, after all checks that can be made before hours are spent.

    Args:
        folder: The run's folder; it may be there, but no other run may be in it.
        config: The run's configuration.
        connection: The downstream model and the registry.

    Raises:
        RunError: If the folder holds another run, the start cannot be used, or the version exists or cannot be written.
    """
    spec = TrainingSpec(config=config, connection=connection)
    text = spec.model_dump_json(indent=2) + "\n"
    path = folder / CONFIG
    try:
        if path.exists() and read_spec(folder) != spec:
            raise RunError(f"{folder} holds a run of another configuration: resume that one, or name another folder")
        registry = Registry(connection.registry)
        find_start(config.policy, config.prompt_template, registry)
        check_version_is_free(registry, config.version, folder.name)
        policies = connection.registry / "policies"
        policies.mkdir(parents=True, exist_ok=True)
        probe = policies / f".{config.version}.probe"
        write_atomically(probe, "")
        probe.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_atomically(path, text)
    except StartPolicyError as error:
        raise RunError(str(error)) from error
    except OSError as error:
        raise RunError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error


def read_spec(folder: Path) -> TrainingSpec:
    """Read a run's config.json, of earlier versions too.

    Raises:
        RunError: If the folder holds no run.
    """
    with reading_configuration(folder) as path:
        stored = json.loads(path.read_bytes())
        if isinstance(stored, dict):
            stored["config"] = translate_renamed(stored.get("config"))
        return TrainingSpec.model_validate_json(json.dumps(stored))


def check_version_is_free(registry: Registry, version: str, run: str) -> bool:
    """Check that a version's name is free (True) or was published by this very run (False).

    Raises:
        VersionTakenError: If another has the name.
    """
    try:
        path = registry.policy_path(version)
    except RegistryError:
        return True
    if was_published_by(path, run):
        return False
    raise VersionTakenError(
        f"the registry has a version {version!r} already, and versions never change: choose another name"
    )
