"""Loaders of policy versions: from a version's directory to a policy that writes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from prompt4trust.models import Sampling, TransportError
from prompt4trust.prompts import PromptTemplate, guide_messages
from services.common.registry.errors import PolicyTemplateError
from services.common.registry.policy_template import read_policy_template
from services.policy.errors import NotServedError, UnusableVersionError
from services.policy.generators.generator import Generator
from services.policy.generators.model_servers import ModelServers, RemoteGenerator
from services.policy.versions.policy_versions import LoadedPolicy, Loader

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
_log = structlog.get_logger(__name__)

StartGenerator = Callable[[Path], Awaitable[Generator]]
"""Starts a model in this process from its directory."""


def read_template(path: Path) -> PromptTemplate:
    """Read a version's own prompt template.

    Args:
        path: The version's directory.

    Returns:
        The template, of role "guide".

    Raises:
        UnusableVersionError: If prompt.json is missing, broken, or for another role.
    """
    try:
        return read_policy_template(path)
    except PolicyTemplateError as error:
        raise UnusableVersionError(str(error)) from error


def local_loader(start: StartGenerator, *, digests: bool) -> Loader:
    """Load versions into this process.

    Args:
        start: Starts a model from its directory.
        digests: Whether to name models by the digest of their files, as sharing guidance takes: that reads them twice.

    Returns:
        The loader. A version that cannot write a first token is refused here, before a request depends on it.
    """

    async def load(version: str, path: Path) -> LoadedPolicy:
        template = await asyncio.to_thread(_read_local, version, path)
        digest = await asyncio.to_thread(_digest, path) if digests else "unread"
        try:
            generator = await start(path)
        except Exception as error:
            # Whatever a model library raises on a broken directory: the client learns that, the log learns what.
            _log.error("policy cannot be loaded", version=version, exc_info=error)
            raise UnusableVersionError(f"{version} cannot be loaded ({type(error).__name__})") from error
        return await _tried(LoadedPolicy(version, template, generator, f"transformers:{digest}"))

    return load


def remote_loader(servers: ModelServers, model: str | None) -> Loader:
    """Use versions that OpenAI-compatible servers have loaded; only the template is read here.

    Args:
        servers: Where they may be.
        model: Model name to ask for, or None for the version's own name.

    Returns:
        The loader. A version that no server lists among its models is refused, and so is one that cannot write.
    """

    async def load(version: str, path: Path) -> LoadedPolicy:
        template = await asyncio.to_thread(read_template, path)
        name = model or version
        try:
            pool = await servers.find(name)
        except NotServedError as error:
            raise UnusableVersionError(f"no model server has {name} ({error})") from error
        return await _tried(LoadedPolicy(version, template, RemoteGenerator(servers, pool, name), f"openai:{name}"))

    return load


def _read_local(version: str, path: Path) -> PromptTemplate:
    if not any(path.glob("*.safetensors")):
        raise UnusableVersionError(f"{version} holds no safetensors weights")  # other formats can run code
    if not any((path / name).is_file() for name in _TOKENIZERS) and not _names_parts(path):
        raise UnusableVersionError(f"{version} holds no tokenizer")  # transformers would make an empty one up
    return read_template(path)


def _names_parts(path: Path) -> bool:
    """Whether a version is an adapter over a pretrained part, whose tokenizer it uses."""
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and bool(config.get("parts"))


def _digest(path: Path) -> str:
    """Compute the SHA-256 of a version's files with their names, as hex; no times, which differ between copies."""
    found = hashlib.sha256()
    for each in sorted(path.rglob("*")):
        if each.is_file():
            with each.open("rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
            found.update(str(each.relative_to(path)).encode() + b"\0")
    return found.hexdigest()


async def _tried(policy: LoadedPolicy) -> LoadedPolicy:
    """Let a policy write one token, and hand it on if it does."""
    generator: Generator = policy.generator
    try:
        await generator.generate(guide_messages(policy.template, "Is it so?", {}), 1, Sampling(max_tokens=1))
    except Exception as error:
        await generator.aclose()
        if isinstance(error, TransportError):
            reason = error.detail
        else:
            reason = type(error).__name__
            _log.error("policy cannot write", version=policy.version, exc_info=error)
        raise UnusableVersionError(f"{policy.version} cannot write a prompt ({reason})") from error
    return policy
