"""Settings of a second downstream model, which gateway and trainer ask for its opinion of an answer."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from services.common.address import HttpAddress
from services.common.clients.picture_egress import may_see_text
from services.common.settings import EMPTY_IS_UNSET


class SecondModelSettings(BaseSettings):
    """Settings of the second model; see the service's settings for where values come from.

    Both its address and its name are set, or neither is: evidence is kept by the name, so it has no default.
    """

    second_downstream_url: Annotated[HttpAddress | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="An OpenAI API, with /v1, of a second downstream model: `cgp+second-model` asks for its opinion of "
        "each answer. Pictures go there, too.",
    )
    second_downstream_model: Annotated[str | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Model name to ask that one for."
    )
    second_downstream_api_key: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Key to show to that API."
    )

    def downstream_names(self, first: str) -> dict[str, str]:
        """Name the downstream models by their part: the first, and the second where there is one."""
        second = self.second_downstream_model
        return {"downstream": first, **({} if second is None else {"second_downstream": second})}

    def all_may_see_text(self, first_url: str, named: frozenset[str]) -> bool:
        """Whether pictures that hold text, or may, are prepared for all downstream models; see `may_see_text`."""
        urls = (first_url, self.second_downstream_url)
        return all(may_see_text(url, named) for url in urls if url is not None)

    @model_validator(mode="after")
    def _second_has_address_and_name(self) -> Self:
        if (self.second_downstream_url is None) != (self.second_downstream_model is None):
            raise ValueError("second_downstream_url and second_downstream_model go together: set both or neither")
        return self
