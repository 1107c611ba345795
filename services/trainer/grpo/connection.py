"""Connection of a run to the downstream service and the registry, from the section `trainer`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpPool
from services.common.clients.picture_egress import may_see_text
from services.common.clients.retries import RetrySettings
from services.trainer.grpo.config.training_config import AnswerConfig
from services.trainer.model_settings import ModelSettings


class ConnectionSettings(ModelSettings, service="trainer"):
    """The trainer's settings that a run needs; see ServiceSettings for where they come from."""

    runs: Path = Field(default=Path("var/runs"), description="Directory with one directory a run.")
    data: Path = Field(
        default=Path("var/data"), description="Directory of question files that runs may name, and of drawn phantoms."
    )


class Connection(BaseModel):
    """The downstream model of one run; part of the run's record, which is why the API key is not in it.

    Attributes:
        url: OpenAI-compatible base URL, with /v1.
        model: Served model name.
        template: Answer template, as name@version or a JSON file.
        egress_hosts: Hosts beyond this machine that pictures may be sent to.
        burned_in_hosts: Hosts beyond it that may also be sent DICOM pictures that hold text, or may.
        vendor_parameters: Whether the server takes top_k.
        registry: Directory of policy versions, where the run begins and publishes.
        data: Directory of drawn phantoms.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    model: str
    template: str
    egress_hosts: frozenset[str] = frozenset()
    burned_in_hosts: frozenset[str] = frozenset()
    vendor_parameters: bool = True
    registry: Path
    data: Path

    @classmethod
    def of(cls, settings: ConnectionSettings) -> Connection:
        """Take from the settings what a run records."""
        return cls(
            url=settings.downstream_url,
            model=settings.downstream_model,
            template=settings.answer_template,
            egress_hosts=settings.egress_hosts,
            burned_in_hosts=settings.burned_in_hosts,
            vendor_parameters=settings.vendor_parameters,
            registry=settings.registry,
            data=settings.data,
        )

    @property
    def takes_burned_in(self) -> bool:
        """Whether pictures that hold text, or may, are shown to the model."""
        return may_see_text(self.url, self.burned_in_hosts)


def open_client(
    connection: Connection, answer: AnswerConfig, key: SecretStr | None
) -> tuple[HttpPool, DownstreamClient]:
    """Open a pool to the downstream service.

    Args:
        connection: Its address.
        answer: The bounds and retries of asking.
        key: Its API key, or None.

    Returns:
        The pool, which the caller closes on the event loop that used it, and the client on top of it.
    """
    http = HttpPool(connection.url, max_connections=answer.max_in_flight, api_key=key)
    retry = RetrySettings(deadline_s=answer.deadline_s, attempts=answer.attempts)
    client = DownstreamClient(
        http,
        connection.model,
        retry,
        egress_hosts=connection.egress_hosts,
        vendor_parameters=connection.vendor_parameters,
    )
    return http, client
