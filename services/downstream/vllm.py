"""The vllm engine: this process becomes `vllm serve`, the real server and no wrapper."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import NoReturn

from services.downstream.settings import DownstreamSettings

_NO_HOST = "image-urls-are-refused.invalid"


def vllm_argv(settings: DownstreamSettings) -> list[str]:
    """Derive the command line.

    Args:
        settings: The service's settings.

    Returns:
        Program and arguments.
    """
    argv = [settings.vllm_command, "serve", settings.model_path]
    argv += ["--served-model-name", settings.model, "--host", settings.host, "--port", str(settings.port)]
    argv += ["--dtype", settings.dtype, "--max-num-seqs", str(settings.max_batch)]
    argv += ["--limit-mm-per-prompt", json.dumps({"image": settings.max_images, "video": 0})]
    # OpenAI's defaults for what a request leaves open, as the in-process engine has them, not the model's own.
    argv += ["--generation-config", "vllm"]
    # vLLM fetches any image URL unless told which hosts may be asked; a reserved name (RFC 2606) refuses all.
    argv += ["--allowed-media-domains", *sorted(settings.image_hosts or {_NO_HOST})]
    # At SIGTERM requests in flight get as long as the in-process engine gives them; else vLLM ends them at once.
    argv += ["--shutdown-timeout", str(math.ceil(settings.shutdown_grace_s))]
    if settings.max_model_len is not None:
        argv += ["--max-model-len", str(settings.max_model_len)]
    return [*argv, *settings.vllm_args]


def vllm_environment(settings: DownstreamSettings, environment: Mapping[str, str]) -> dict[str, str]:
    """Derive the environment: no usage reports, no redirects out of the allowed hosts, image bounds.

    Args:
        settings: The service's settings.
        environment: This process's environment; what it sets for vLLM is kept.

    Returns:
        The new process's environment.
    """
    defaults = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
        "VLLM_IMAGE_FETCH_TIMEOUT": str(max(1, round(settings.image_timeout_s))),
    }
    return {**defaults, **environment}


def become_vllm(settings: DownstreamSettings) -> NoReturn:
    """Replace this process by the server, so that signals, logs and the exit status are its own.

    Raises:
        SystemExit: If there is no such program.
    """
    argv = vllm_argv(settings)
    try:
        os.execvpe(argv[0], argv, vllm_environment(settings, os.environ))  # noqa: S606 - becoming it is the point
    except FileNotFoundError:
        raise SystemExit(
            f"{argv[0]} was not found: install vLLM (pip install vllm, in an environment of its own) or set "
            "TRUSTVQA_DOWNSTREAM_VLLM_COMMAND to its path"
        ) from None
