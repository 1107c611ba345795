"""Fetches what the GPU stack serves: python fetch_models.py DOWNSTREAM POLICY VERSION REGISTRY [TEMPLATE].

Runs once, in the only container of the stack that may reach the hub, before the engines start; those find the models in
the hub's cache (HF_HOME) and in the registry and need no network. What is there already is not fetched again.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from prompt4trust.files import copy_directory_atomically
from services.common.registry.directory import Registry
from services.common.registry.policy_template import load_guide_template

Download = Callable[[str], str]
_TEMPLATE = "guide-standard@1"


def publish_policy(registry: Registry, model: str, version: str, template: str, download: Download) -> bool:
    """Lay a model of the hub into the registry, as the policy version that training begins with.

    Args:
        registry: Where.
        model: Its name on the hub.
        version: Name of the version.
        template: The shipped wording that the version is asked with, as name@version.
        download: Fetches a model and returns its directory.

    Returns:
        Whether it was laid there; False where the registry has such a version.

    Raises:
        PolicyTemplateError: If there is no such wording.
        FileExistsError: If the version's directory is there without a model.
    """
    if version in registry.policies():
        return False
    load_guide_template(template)
    wording = files("prompt4trust") / "templates" / f"{template.replace('@', '-')}.json"
    with tempfile.TemporaryDirectory(dir=os.environ.get("HF_HOME")) as place:
        folder = Path(place) / "policy"
        # The hub's cache holds links; the registry's files stand on their own.
        shutil.copytree(download(model), folder)
        (folder / "prompt.json").write_text(wording.read_text(encoding="utf-8"), encoding="utf-8")
        copy_directory_atomically(folder, registry.root / "policies" / version)
    return True


def _from_hub(model: str) -> str:
    from huggingface_hub import snapshot_download

    # Weights that can run code when they are loaded are left where they are.
    return str(snapshot_download(model, ignore_patterns=["*.bin", "*.pt", "*.pth", "*.h5", "*.msgpack", "*.gguf"]))


def main(arguments: list[str], download: Download = _from_hub) -> None:
    """Fetch both models."""
    downstream, policy, version, registry, *template = arguments
    download(downstream)
    publish_policy(Registry(Path(registry)), policy, version, template[0] if template else _TEMPLATE, download)


if __name__ == "__main__":
    main(sys.argv[1:])
