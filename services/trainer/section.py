"""Base of what runs are configured by, in files and in requests: no unknown names, and every number a finite one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Strict, field_validator

_INT64 = 2**63

Int = Annotated[int, Strict()]
"""A whole number, in JSON no text and no truth value."""
Float = Annotated[float, Strict()]
"""A number, in JSON no text and no truth value."""


class Section(BaseModel):
    """Settings of a run.

    Example:
        >>> class Search(Section):
        ...     rate: float
        >>> Search.model_validate_json('{"rate": Infinity}')
        Traceback (most recent call last):
        ...
        pydantic_core._pydantic_core.ValidationError: 1 validation error for Search
        rate
          Input should be a finite number [type=finite_number, input_value=inf, input_type=float]
            For further information visit https://errors.pydantic.dev/...
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _fits_a_machine(cls, value: Any) -> Any:
        if isinstance(value, int) and not -_INT64 <= value < _INT64:
            raise ValueError("must be a number of at most 64 bits")
        return value
