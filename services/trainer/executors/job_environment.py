"""Command and environment variables of a job that sees other paths than the service.

Others may read its description, so that secrets reach it as files only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from services.common.settings import SECRETS_VARIABLE
from services.trainer.errors import ExecutorError
from services.trainer.executors.base import Launch

RUN_LABEL, ROLE_LABEL, ROLE = "trustvqa.run", "trustvqa.role", "trainer"
FOLDER_LABEL = "trustvqa.folder"
SECRETS_TARGET = "/run/secrets/trustvqa"
_SECRET = re.compile(r"_(KEY|TOKEN|PASSWORD|SECRET)$")
# A job's user has no home and often no name of its own; libraries ask for both.
_DEFAULTS = {"HOME": "/tmp", "USER": "trustvqa", "PYTHONUNBUFFERED": "1"}  # noqa: S108 - a file system of its own


def relocated(run: Launch, runs: PurePosixPath) -> list[str]:
    """Rewrite a command for a job that sees the directory of runs under another path.

    Args:
        run: The job.
        runs: Its path of the folder that holds all runs' folders.

    Returns:
        The arguments after the interpreter; those that name the run's folder, or something in it, are rewritten.
    """
    here, there = str(run.folder), str(runs / run.folder.name)
    return [
        there + argument[len(here) :] if argument == here or argument.startswith(f"{here}/") else argument
        for argument in run.command
    ]


def job_environment(environment: Mapping[str, str], *, secrets: bool) -> dict[str, str]:
    """Environment variables for a job, without the secrets: whoever may look at the job reads them, too.

    Args:
        environment: The environment variables of the launch.
        secrets: The job finds its secrets as files, each named as the variable would be.

    Returns:
        The environment, sorted by name.

    Raises:
        ExecutorError: If there is a secret and no files to find it in.
    """
    kept = {name: value for name, value in environment.items() if not _SECRET.search(name)}
    withheld = sorted(set(environment) - set(kept))
    if withheld and not secrets:
        raise ExecutorError(
            f"{', '.join(withheld)} would be readable in the job's description: give it to jobs as a file of that name "
            "(setting `secrets` of the executor)"
        )
    where = {SECRETS_VARIABLE: SECRETS_TARGET} if secrets else {}
    return dict(sorted({**_DEFAULTS, **kept, **where}.items()))
