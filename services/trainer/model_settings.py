"""Settings of the models that runs ask: the section `trainer`, as far as all runs need it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.common.address import HttpAddress
from services.common.second_model_settings import SecondModelSettings
from services.common.settings import EMPTY_IS_UNSET, ServiceSettings


class ModelSettings(SecondModelSettings, ServiceSettings, service="trainer"):
    """The models of a run; see ServiceSettings for where values come from."""

    # The section holds much that does not concern a single run.
    model_config = SettingsConfigDict(extra="ignore")

    policy_url: HttpAddress = Field(default="http://127.0.0.1:8081", description="Base URL of the policy service.")
    policy_api_key: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Its API key, where it wants one."
    )
    downstream_url: HttpAddress = Field(default="http://127.0.0.1:8082/v1", description="OpenAI-compatible base URL.")
    downstream_model: str = Field(default="downstream-mini-1", description="Served name of the downstream model.")
    downstream_api_key: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Its API key, where it wants one."
    )
    answer_template: str = Field(
        default="answer-compact@1",
        description="Wording that the downstream model is asked: name@version or a JSON file, and behind it "
        "+module:function where replies are read by a parser of your own.",
    )
    egress_hosts: frozenset[str] = Field(
        default=frozenset(), description="Hosts beyond this machine and its neighbours that may be sent pictures."
    )
    burned_in_hosts: frozenset[str] = Field(
        default=frozenset(),
        description="Hosts beyond this machine and its neighbours that may also be sent DICOM pictures that hold text, "
        "or may, as the gateway's setting of that name says. Elsewhere such questions are not asked, and are counted.",
    )
    vendor_parameters: bool = Field(default=True, description="Whether the model's server takes top_k.")
    temperature: float = Field(default=0.0, ge=0, description="Of the downstream model in evaluations; 0 is greedy.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Nucleus in evaluations.")
    top_k: int = Field(default=0, ge=0, description="Candidates in evaluations; 0 for all.")
    max_tokens: int = Field(default=256, ge=1, description="Longest reply in evaluations.")
    sampling_seed: int | None = Field(default=None, description="Seed of sampled replies in evaluations.")

    @property
    def takes_burned_in(self) -> bool:
        """Whether pictures that hold text, or may, are shown to the downstream models: to both, where there are two."""
        return self.all_may_see_text(self.downstream_url, self.burned_in_hosts)

    @property
    def keys(self) -> dict[str, SecretStr | None]:
        """The models' API keys, by the names of their settings; they are in no run's record."""
        names = ("policy_api_key", "downstream_api_key", "second_downstream_api_key")
        return {name: getattr(self, name) for name in names}
