"""Plans of runs: requests are checked and folders prepared, so that mistakes come to light before anything begins."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from prompt4trust.files import write_atomically
from services.common.http.problems import Problem
from services.common.registry.directory import Registry
from services.common.registry.errors import RegistryError
from services.common.settings import ServiceSettings
from services.trainer.errors import ConfigError, RunError, StartPolicyError, VersionTakenError
from services.trainer.evaluation.config import EvaluationConfig, EvaluationSpec
from services.trainer.executors.base import Launch
from services.trainer.grpo.config.config_file import in_words, lay_over, read_section
from services.trainer.grpo.config.training_config import TrainingConfig
from services.trainer.grpo.connection import Connection
from services.trainer.grpo.spec import prepare, read_spec
from services.trainer.model_settings import ModelSettings
from services.trainer.question_data import FileData
from services.trainer.run_files.configuration import CONFIG
from services.trainer.run_files.progress import reset_progress
from services.trainer.run_files.records import UNFINISHED, RunKind, RunRecord, RunStore
from services.trainer.schemas import TrainingRequest
from services.trainer.settings import TrainerSettings
from services.trainer.supervision.data_paths import OutsideDataError, find_below
from services.trainer.tuning import preparing as tuning
from services.trainer.tuning.config import TuningConfig

TRAINING_MISSING = "training needs packages that are not installed: pip install '.[train]'"
_MODULES = {
    "training": "services.trainer.grpo",
    "evaluation": "services.trainer.evaluation",
    "calibprompt": "services.trainer.tuning",
}
_SHORT = {"training": "train", "evaluation": "eval", "calibprompt": "tune"}
_OWN_ID = re.compile(r"(train|eval|tune)-[0-9]{8}-[0-9]{6}-[a-z0-9]{1,16}")


class Planner:
    """Checks requests and prepares runs' folders. Everything here blocks: call it from a thread.

    Args:
        settings: The service's settings.
        store: The runs on record.
        now: The time of day.
        draw: Draws a few characters that tell runs of the same second apart.
    """

    def __init__(
        self,
        settings: TrainerSettings,
        store: RunStore,
        *,
        now: Callable[[], datetime],
        draw: Callable[[], str] = lambda: secrets.token_hex(3),
    ) -> None:
        self._settings = settings
        self._store = store
        self._now = now
        self._draw = draw

    def plan_training(self, request: TrainingRequest) -> RunRecord:
        """Prepare a training run.

        Raises:
            Problem: 409 if the version is taken, 422 if a value is wrong, 503 if this installation cannot train or the
                registry cannot be written.
        """
        if self._settings.executor == "process" and find_spec("trl") is None:
            raise Problem(503, "training-not-installed", f"{TRAINING_MISSING}.")
        config = self._configure(request)
        self._check_nobody_else_makes(config.version)
        record = self._describe("training", request)
        self._prepare(record, config)
        return record

    def plan_evaluation(self, request: EvaluationConfig) -> RunRecord:
        """Prepare an evaluation.

        Raises:
            Problem: 422 if a value is wrong, 503 if the run's folder cannot be written.
        """
        if request.top_k and not self._settings.vendor_parameters:
            raise _invalid([("top_k", "the setting vendor_parameters says that the model's server takes none")])
        if isinstance(request.data, FileData):
            request = request.model_copy(update={"data": self._confine(request.data, "data")})
        record = self._describe("evaluation", request)
        names = ModelSettings.model_fields.keys() - ServiceSettings.model_fields.keys()
        spec = EvaluationSpec(
            config=request,
            models=self._settings.model_dump(mode="json", include=names - self._settings.keys.keys()),
            registry=self._settings.registry.absolute(),
            data=self._settings.data.absolute(),
        )
        try:
            write_atomically(self._folder(record.id) / CONFIG, spec.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise _unwritable(error) from error
        return record

    def plan_tuning(self, request: TuningConfig) -> RunRecord:
        """Prepare a tuning run.

        Raises:
            Problem: 409 if the version is taken, 422 if a value is wrong, 503 if this installation has no torch or the
                run's folder cannot be written.
        """
        settings = self._settings
        if settings.executor == "process" and find_spec("transformers") is None:
            raise Problem(503, "training-not-installed", f"{TRAINING_MISSING}.")
        changed = {
            part: self._confine(data, part)
            for part in ("train", "validation")
            if isinstance(data := getattr(request, part), FileData)
        }
        config = request.model_copy(update=changed)
        self._check_nobody_else_tunes(config.version)
        record = self._describe("calibprompt", request)
        folder = self._folder(record.id)
        try:
            tuning.prepare(folder, config, settings.registry, settings.shipped, settings.data, settings.parts)
        except RunError as error:
            raise self._refusal(error) from error
        except OSError as error:
            raise _unwritable(error) from error
        return record

    def prepare_resume(self, record: RunRecord) -> None:
        """Make ready for another attempt at a run.

        Raises:
            Problem: 409 if another run took the name of the version meanwhile, 422 if it cannot be begun any more.
        """
        folder = self._folder(record.id)
        if record.kind == "training":
            try:
                spec = read_spec(folder)
                self._check_nobody_else_makes(spec.config.version, but=record.id)
                prepare(folder, spec.config, spec.connection)
            except RunError as error:
                raise self._refusal(error) from error
        elif record.kind == "calibprompt":
            try:
                version = tuning.read_spec(folder).config.version
                self._check_nobody_else_tunes(version, but=record.id)
                tuning.check_version_is_free(Registry(self._settings.registry), version, record.id)
            except RunError as error:
                raise self._refusal(error) from error
        try:
            reset_progress(folder)
        except OSError as error:
            raise _unwritable(error) from error

    def launch(self, record: RunRecord) -> Launch:
        """Describe the job that does a run's work."""
        folder, settings = self._folder(record.id), self._settings
        environment = {
            "OMP_NUM_THREADS": str(settings.threads),
            # Runs share the machine with the services: they must not spin while they wait.
            "OMP_WAIT_POLICY": "PASSIVE",
            "GOMP_SPINCOUNT": "0",
            "PYTHONUNBUFFERED": "1",
        }
        for name, key in settings.keys.items():
            if key is not None:
                environment[f"TRUSTVQA_TRAINER_{name.upper()}"] = key.get_secret_value()
        return Launch(_job_name(record.id), folder, ("-m", _MODULES[record.kind], str(folder)), environment)

    # --- Checks -------------------------------------------------------------------------------------------------------

    def _configure(self, request: TrainingRequest) -> TrainingConfig:
        name = request.config or self._settings.default_config
        path = self._settings.configs / f"{name}.yaml"
        if not path.is_file():
            there = ", ".join(sorted(each.stem for each in self._settings.configs.glob("*.yaml"))) or "none"
            raise _invalid([("config", f"there is no configuration {name!r}; there are: {there}")])
        given: dict[str, Any] = {
            "policy": request.policy,
            "version": request.version,
            "update.max_steps": request.steps,
        }
        given |= {"seed": request.seed, "reward": request.reward}
        named = {field: value for field, value in given.items() if value is not None}
        try:
            base = read_section(path)
            section = lay_over(base, {**request.overrides, **named})
        except ConfigError as error:
            raise _invalid([("overrides", self._settings.without_folders(str(error)))]) from error
        try:
            config = TrainingConfig.model_validate(section)
        except ValidationError as error:
            raise _invalid(_faults(error)) from error
        self._keep_to_what_the_operator_chose(base, config)
        changed = {}
        for part in ("train", "validation"):
            data = getattr(config, part)
            if isinstance(data, FileData) and section.get(part) != base.get(part):
                changed[part] = self._confine(data, part)
        return config.model_copy(update=changed)

    def _keep_to_what_the_operator_chose(self, base: dict[str, Any], config: TrainingConfig) -> None:
        # Where files and hosts are is the operator's business: a request that could name any would read them all.
        if config.prompt_template != base.get("prompt_template"):
            raise _invalid([("overrides.prompt_template", "can be set in the configuration file only")])
        rollout = base.get("rollout")
        url = rollout.get("vllm_server_base_url") if isinstance(rollout, dict) else None
        if config.rollout.vllm_server_base_url != url:
            raise _invalid([("overrides.rollout.vllm_server_base_url", "can be set in the configuration file only")])
        if config.policy != base.get("policy"):
            try:
                self._seeded_registry().policy_path(config.policy)
            except RegistryError as error:
                raise _invalid([("policy", f"the registry has no version {config.policy!r}")]) from error

    def _confine(self, data: FileData, field: str) -> FileData:
        root = self._settings.data.resolve()

        def below(path: Path, name: str) -> Path:
            try:
                return find_below(root, path)
            except OutsideDataError as error:
                raise _invalid([(f"{field}.{name}", str(error))]) from error

        images = None if data.images is None else below(data.images, "images")
        return data.model_copy(update={"path": below(data.path, "path"), "images": images})

    def _check_nobody_else_makes(self, version: str, but: str = "") -> None:
        self._check_unclaimed("training", lambda folder: read_spec(folder).config.version, version, but)

    def _check_nobody_else_tunes(self, version: str, but: str = "") -> None:
        self._check_unclaimed("calibprompt", lambda folder: tuning.read_spec(folder).config.version, version, but)

    def _check_unclaimed(self, kind: RunKind, made_by: Callable[[Path], str], version: str, but: str) -> None:
        for record in self._store.all():
            if record.kind != kind or record.id == but or record.status not in UNFINISHED:
                continue
            try:
                theirs = made_by(self._folder(record.id))
            except RunError:
                continue
            if theirs == version:
                detail = f"Run {record.id} is {record.status} and will publish {version!r}: choose another name."
                raise Problem(409, "version-taken", detail, run=record.id)

    def _prepare(self, record: RunRecord, config: TrainingConfig) -> None:
        settings = self._settings
        connection = Connection.of(settings).model_copy(
            update={"registry": settings.registry.absolute(), "data": settings.data.absolute()}
        )
        self._seeded_registry()
        try:
            prepare(self._folder(record.id), config, connection)
        except RunError as error:
            raise self._refusal(error) from error

    def _seeded_registry(self) -> Registry:
        registry = Registry(self._settings.registry)
        try:
            registry.seed(self._settings.shipped)
        except OSError as error:
            raise _unwritable(error) from error
        return registry

    def _describe(self, kind: RunKind, request: BaseModel) -> RunRecord:
        now = self._now()
        return RunRecord(
            id=f"{_SHORT[kind]}-{now:%Y%m%d-%H%M%S}-{self._draw()}",
            kind=kind,
            status="queued",
            created=now,
            queued=now,
            request=request.model_dump(mode="json", exclude_unset=True),
        )

    def _refusal(self, error: RunError) -> Problem:
        cause, message = error.__cause__, self._settings.without_folders(str(error))
        if isinstance(cause, StartPolicyError):
            return _invalid([("policy", message)])
        if isinstance(cause, OSError):
            return _unwritable(cause)
        if isinstance(error, VersionTakenError):
            return Problem(409, "version-taken", f"{message}.")
        return Problem(422, "run-unusable", f"{message}.")

    def _folder(self, run_id: str) -> Path:
        return self._store.folder(run_id).absolute()


def _job_name(run_id: str) -> str:
    """Make a name that containers and Jobs may have of one that a command's run chose freely; two never share one."""
    if _OWN_ID.fullmatch(run_id):
        return run_id
    readable = re.sub(r"[^a-z0-9]+", "-", run_id.lower())[:40].strip("-")
    return f"run-{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:12]}"


def _unwritable(error: OSError) -> Problem:
    return Problem(503, "not-writable", f"The registry or the directory for runs cannot be written: {error.strerror}.")


def _invalid(faults: Iterable[tuple[str, str]]) -> Problem:
    errors = [{"field": field, "message": message} for field, message in faults]
    fields = ", ".join(sorted({each["field"] for each in errors}))
    return Problem(422, "invalid-request", f"Check {fields}: {errors[0]['message']}.", errors=errors)


def _faults(error: ValidationError) -> list[tuple[str, str]]:
    return [(".".join(map(str, fault["loc"])) or "overrides", in_words(fault)) for fault in error.errors()]
