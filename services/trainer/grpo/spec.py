"""What a training run is: a folder with its configuration, checked before hours are spent."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from prompt4trust.files import write_atomically
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.trainer.grpo.config import TrainingConfig
from services.trainer.grpo.connection import Connection
from services.trainer.grpo.policy_files import StartPolicyError, find_start
from services.trainer.grpo.renamed_settings import translate_renamed

CONFIG = "config.json"


class RunError(Exception):
    """A run cannot begin or cannot go on; the message says why and what may be done."""


class VersionTakenError(RunError):
    """The registry has a version of the name already."""


class RunBusyError(RunError):
    """Another process is at work on the run."""


class Spec(BaseModel):
    """What a run is: written once, before it begins, and read whenever it is taken up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: TrainingConfig
    connection: Connection


def prepare(folder: Path, config: TrainingConfig, connection: Connection) -> None:
    """Make a folder a run's: what can be told to be wrong before hours are spent is told here.

    Args:
        folder: The run's folder; it may be there, but no other run may be in it.
        config: The run's configuration.
        connection: Where the downstream model and the registry are.

    Raises:
        RunError: If the folder holds another run, the start cannot be used, or the version exists or cannot be written.
    """
    spec = Spec(config=config, connection=connection)
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


def read_spec(folder: Path) -> Spec:
    """Read what a run is.

    Raises:
        RunError: If the folder holds no run.
    """
    try:
        stored = json.loads((folder / CONFIG).read_bytes())
        if isinstance(stored, dict):
            stored["config"] = translate_renamed(stored.get("config"))
        return Spec.model_validate_json(json.dumps(stored))
    except OSError as error:
        raise RunError(f"{folder} holds no run ({error.strerror or error})") from error
    except ValidationError as error:
        raise RunError(f"{folder / CONFIG} cannot be read: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise RunError(f"{folder / CONFIG} cannot be read: {error}") from error


def check_version_is_free(registry: Registry, version: str, run: str) -> bool:
    """Tell a free name (True) from one that this very run published (False); another's is an error."""
    try:
        path = registry.policy_path(version)
    except RegistryError:
        return True
    with suppress(OSError, ValueError):
        if json.loads((path / "provenance.json").read_text(encoding="utf-8")).get("run") == run:
            return False
    raise VersionTakenError(
        f"the registry has a version {version!r} already, and versions never change: choose another name"
    )
