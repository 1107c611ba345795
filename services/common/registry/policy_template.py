"""A policy version's own wording, prompt.json, without which a directory is none: for serving and training alike."""

from __future__ import annotations

from pathlib import Path

from prompt4trust.prompts import PromptTemplate, load_template
from services.common.registry.errors import MissingTemplateError, PolicyTemplateError

TEMPLATE_FILE = "prompt.json"
"""Holds a version's prompt template: the wording that it was trained with."""
_ROLE = "guide"


def read_policy_template(directory: Path) -> PromptTemplate:
    """Read the wording of a policy version from its directory.

    Args:
        directory: The version's directory.

    Returns:
        The template, of role "guide".

    Raises:
        MissingTemplateError: If there is no prompt.json.
        PolicyTemplateError: If it is broken, or for another role.
    """
    try:
        template = load_template(directory / TEMPLATE_FILE)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingTemplateError(f"{TEMPLATE_FILE} is missing") from error
    except (ValueError, OSError) as error:
        raise PolicyTemplateError(f"{TEMPLATE_FILE} does not hold a prompt template") from error
    return _checked(template, TEMPLATE_FILE)


def load_guide_template(source: str) -> PromptTemplate:
    """Load a template that asks the policy, as a person names it.

    Args:
        source: A shipped template as "name@version", or the path of a file that ends in ".json".

    Returns:
        The template, of role "guide".

    Raises:
        PolicyTemplateError: If there is none, or it is broken or for another role.
    """
    path = Path(source)
    try:
        template = load_template(path if path.suffix == ".json" else source)
    except (ValueError, OSError) as error:
        raise PolicyTemplateError(f"{source} is no prompt template: {error}") from error
    return _checked(template, source)


def _checked(template: PromptTemplate, name: str) -> PromptTemplate:
    if template.role != _ROLE:
        raise PolicyTemplateError(f"{name} is for the role {template.role!r}, not {_ROLE!r}")
    return template
