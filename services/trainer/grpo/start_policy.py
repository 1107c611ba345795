"""The policy that a run begins with: a version of the registry, a directory, or a model of the hub."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prompt4trust.prompts import PromptTemplate
from services.common.registry.directory import Registry
from services.common.registry.errors import MissingTemplateError, PolicyTemplateError, RegistryError
from services.common.registry.policy_template import TEMPLATE_FILE, load_guide_template, read_policy_template
from services.trainer.errors import StartPolicyError


@dataclass(frozen=True, slots=True)
class StartPolicy:
    """The policy that a run begins with.

    Attributes:
        name: Version or model, as records name it.
        source: Directory in Hugging Face layout, or a name on the hub.
        template: The policy's wording, of role "guide".
    """

    name: str
    source: str
    template: PromptTemplate


def find_start(policy: str, prompt_template: str | None, registry: Registry) -> StartPolicy:
    """Find the policy that a run begins with.

    Args:
        policy: A version of the registry, a directory, or a model of the hub.
        prompt_template: Wording for a policy that brings none, or None.
        registry: The registry of versions.

    Returns:
        Its place and its wording.

    Raises:
        StartPolicyError: If it has no wording and none is given, or the wording cannot be used.
    """
    path = Path(policy)
    if not path.is_dir():
        try:
            path = registry.policy_path(policy)
        except RegistryError as error:
            if "/" not in policy:
                raise StartPolicyError(
                    f"policy {policy!r} is neither a directory nor a version of the registry"
                ) from error
            path = Path()
    template = None
    try:
        if path != Path():
            with suppress(MissingTemplateError):
                template = read_policy_template(path)
        if template is None and prompt_template is not None:
            template = load_guide_template(prompt_template)
    except PolicyTemplateError as error:
        raise StartPolicyError(f"the prompt template of policy {policy!r} cannot be used: {error}") from error
    if template is None:
        raise StartPolicyError(f"policy {policy!r} brings no {TEMPLATE_FILE}: name a prompt_template")
    return StartPolicy(policy if path == Path() else path.name, policy if path == Path() else str(path), template)
