"""Words around an option's text, or a context that was tuned: contrastive.json of a model's directory."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from services.common.engine.errors import EngineError

FILE = "contrastive.json"
CONTEXT = "context.safetensors"


class Wording(BaseModel):
    """How an option becomes a text.

    Attributes:
        prompt: Words around {option}; used where there is no context.
        context: Whether `context.safetensors` holds a tuned context, which then stands ahead of the option's text.

    Example:
        >>> Wording(prompt="a picture of {option}.").text("a lung")
        'a picture of a lung.'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(default="{option}", max_length=500)
    context: bool = False

    @field_validator("prompt")
    @classmethod
    def _has_a_place(cls, prompt: str) -> str:
        if prompt.count("{option}") != 1:
            raise ValueError("must hold {option} exactly once")
        return prompt

    def text(self, option: str) -> str:
        """Put an option into the prompt; what it says between braces is text like any other."""
        head, tail = self.prompt.split("{option}")
        return f"{head}{option}{tail}"


def read_wording(directory: Path) -> Wording:
    """Read a directory's contrastive.json; the options' bare texts where there is none.

    Raises:
        EngineError: If it cannot be read.
    """
    try:
        return Wording.model_validate_json((directory / FILE).read_bytes())
    except FileNotFoundError:
        return Wording()
    except (OSError, ValidationError) as error:
        raise EngineError(f"{FILE} cannot be read: {str(error).splitlines()[0]}") from None
