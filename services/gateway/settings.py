"""Settings of the gateway."""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from prompt4trust.pictures import PictureLimits, PicturePreparation
from prompt4trust.shift import LIMIT
from services.common.address import HttpAddress, host_of
from services.common.clients.picture_egress import Reach
from services.common.settings import EMPTY_IS_UNSET
from services.gateway.answering.guidance.settings import GuidanceSettings
from services.gateway.database_url import database_url
from services.gateway.settings_parts.hooks import CdsHooksSettings
from services.gateway.settings_parts.methods import MethodSettings
from services.gateway.settings_parts.page import PageSettings
from services.gateway.settings_parts.pictures import GatewayPictureSettings

_ORIGIN = re.compile(r"https?://(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,39}\])(?::[1-9][0-9]{0,4})?")
"""Origins as browsers send them: in lower case, without a path."""
_LEAST_AUDIT_DAYS = 184
_SLASHES = 3  # of an address with a path: without one, it would also begin other hosts' names
_SHARED = (
    "max_connections",
    "max_uploads",
    "max_large_uploads",
    "max_in_flight",
    "max_batches",
    "batch_bytes",
    "image_workers",
    "kept_picture_bytes",
    "kept_guidance",
    "record_max_waiting",
)
"""Bounds that hold for all workers together, besides max_waiting, which may be none."""


class GatewaySettings(
    GatewayPictureSettings,
    CdsHooksSettings,
    PageSettings,
    GuidanceSettings,
    MethodSettings,
    service="gateway",
):
    """Settings of the gateway; see ServiceSettings for where values come from."""

    # An address of a database may hold a password.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that answer, on one address. Bounds on what is done at once hold for all of them "
        "together, and so do those on one caller; each has its share, and at least one of everything.",
    )

    cors_origins: frozenset[str] = Field(
        default=frozenset(),
        description="Other sites whose pages may ask from a browser, each exactly as `https://app.example` or with a "
        "port. Their scripts show keys of their own; nobody's sign-in at the gateway's page counts for them.",
    )

    policy_url: HttpAddress = Field(default="http://127.0.0.1:8081", description="The policy service.")
    policy_api_key: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Key to show to the policy service."
    )
    policy_deadline_s: float = Field(default=10.0, gt=0, description="Longest wait for guidance, retries included.")
    policy_attempts: int = Field(default=2, ge=1, description="Tries within that time.")

    downstream_url: HttpAddress = Field(default="http://127.0.0.1:8082/v1", description="An OpenAI API, with /v1.")
    downstream_model: str = Field(default="downstream-mini-1", description="Model name to ask for.")
    downstream_api_key: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None, description="Key to show to that API."
    )
    downstream_deadline_s: float = Field(default=45.0, gt=0, description="Longest wait for an answer, with retries.")
    downstream_attempts: int = Field(default=2, ge=1, description="Tries within that time.")
    downstream_failures: int = Field(
        default=5, ge=1, description="Failures in a row after which it is left alone a while; questions get 503 then."
    )
    downstream_pause_s: float = Field(default=5.0, ge=0, description="That while.")
    retry_share: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Retries of policy and model, as a share of the questions; ten of each can be saved up.",
    )
    refusal_pause_s: float = Field(
        default=600.0,
        ge=0,
        description="How long a model whose server refused a part of a request, such as log-probabilities or the seed, "
        "is asked without it before it is tried again.",
    )
    warm_prefix: Reach = Field(
        default="never",
        description="Whether the model is to read picture and question while the policy writes, by a request for one "
        "token, so that it reads only the guidance afterwards: for servers that keep what they have read, as the "
        "embedded engine and vLLM do. near: where the server is on this machine or a neighbour with a plain name; a "
        "hosted one would ask money for it.",
    )
    egress_hosts: frozenset[str] = Field(
        default=frozenset(), description="Hosts beyond this machine and its neighbours that may be sent pictures."
    )
    burned_in_hosts: frozenset[str] = Field(
        default=frozenset(),
        description="Hosts beyond this machine and its neighbours that may also be sent DICOM pictures that hold text, "
        "or may: BurnedInAnnotation is YES, or is missing from an ultrasound, a secondary capture or an object of no "
        "modality. Elsewhere these are refused (422).",
    )
    archives: frozenset[str] = Field(
        default=frozenset(),
        description="DICOMweb or WADO-URI services that DICOM objects may be fetched from, by the beginning of their "
        "addresses, `https://pacs.example/dicom-web`: requests may then name an object by its address.",
    )
    archive_authorization: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None, description="The header Authorization that is shown to them, such as `Basic ...`."
    )
    archive_deadline_s: float = Field(default=10.0, gt=0, description="Longest time to fetch an object.")
    vendor_parameters: bool = Field(default=True, description="Whether the model's server takes top_k.")

    answer_template: str = Field(
        default="answer-compact@1",
        description="Wording of the question to the model: name@version or a JSON file, and behind it +module:function "
        "where replies are read by a parser of your own.",
    )
    temperature: float = Field(default=0.0, ge=0, description="How the model's text is sampled; 0 for greedily.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Nucleus that it is sampled from; 1 for all.")
    top_k: int = Field(default=0, ge=0, description="Candidates that it is sampled from; 0 for all.")
    max_tokens: int = Field(default=256, ge=1, description="Longest reply of the model, in tokens.")

    confidence_threshold: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Least calibrated confidence at which an answer is given where max_risk is empty. Whoever sets "
        "this and not max_risk gets it: max_risk is empty then.",
    )
    max_risk: Annotated[float | None, EMPTY_IS_UNSET] = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Largest accepted share of wrong answers where requests do not say: with a guarantee where a guard "
        "fits the answer, else by a calibrated confidence of 1 minus this. Empty for the "
        "threshold above, as it is where that is set and this is not.",
    )
    risk_delta: float = Field(
        default=0.05, gt=0, lt=1, description="Probability with which a guaranteed share of errors may be exceeded."
    )
    coverage: float = Field(
        default=0.9,
        gt=0,
        lt=1,
        description="Rate at which option sets hold the right option where requests do not say.",
    )
    atypicality_limit: float = Field(
        default=LIMIT,
        gt=0,
        le=1,
        description="Atypicality from which on nothing is promised of an answer: of questions like the checked ones, a "
        "share of at most 1 minus this is deferred by it. 1 for never.",
    )
    registry_check_s: float = Field(default=1.0, ge=0, description="How often the registry is looked at, in seconds.")
    notice: str | None = Field(default=None, description="Line shown to users; by default made from the models' names.")

    intended_use: str | None = Field(
        default=None,
        max_length=2000,
        description="Purpose, users, patients: for the model card, else unknown there.",
    )
    deadline_s: float = Field(default=60.0, gt=0, description="Longest time for one answer once the request was read.")
    upload_deadline_s: float = Field(default=30.0, gt=0, description="Longest time for a request's body to arrive.")
    max_uploads: int = Field(
        default=32, ge=1, description="Bodies of up to 1 MB that are received and decoded at once."
    )
    max_large_uploads: int = Field(
        default=4,
        ge=1,
        description="Larger bodies that are received and decoded at once; each may take eight times max_image_bytes.",
    )
    max_in_flight: int = Field(default=64, ge=1, description="Questions that are answered at once at most.")
    adaptive_limit: bool = Field(
        default=True,
        description="Answer fewer at once where more would only wait at the model: the limit is learnt from answers.",
    )
    max_waiting: int = Field(default=128, ge=0, description="Questions that wait for their turn.")
    max_wait_s: float = Field(
        default=5.0,
        gt=0,
        description="Longest wait for a turn in a burst; a line that lasts for longer is a standing one.",
    )
    standing_wait_s: float = Field(default=1.0, gt=0, description="Longest wait for a turn in a standing line.")
    retry_after_s: float = Field(
        default=5.0,
        gt=0,
        description="When a client that found it busy should come back, where nothing better is known.",
    )
    retry_after_most_s: float = Field(default=30.0, gt=0, description="Latest time that it is told to come back.")

    heartbeat_s: float = Field(
        default=15.0, gt=0, description="Seconds between comments that keep the connection of a watched answer open."
    )
    max_batches: int = Field(
        default=8,
        ge=1,
        description="Batches that are answered at once; a client has at most half of them. Each may hold a line of "
        "about max_image_bytes.",
    )
    batch_in_flight: int = Field(default=16, ge=1, description="Lines of one batch that are answered or wait.")
    batch_bytes: int = Field(
        default=64_000_000, ge=1, description="Bytes of lines whose pictures are not decoded, of all batches together."
    )
    batch_wait_s: float = Field(default=600.0, gt=0, description="Longest wait of a batch's line for its turn.")
    batch_idle_s: float = Field(
        default=300.0,
        gt=0,
        description="Longest pause of a batch: from one line to the next, or until the client takes an answer.",
    )
    batch_deadline_s: float = Field(default=86_400.0, gt=0, description="Longest time for a batch.")
    webhook_hosts: frozenset[str] = Field(
        default=frozenset(),
        description="Hosts that may be told that a batch is done, where its client asks for that; none for nobody. An "
        "address must be https, but for this machine itself.",
    )
    webhook_secret: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None,
        description="Key of the webhooks' signatures, as Standard Webhooks writes it: whsec_ and 24 to 64 bytes in "
        "base64. Needed where webhook_hosts names some.",
    )

    records_url: SecretStr = Field(
        default=SecretStr("sqlite:///var/records.db"),
        description="Database of answers and feedback: sqlite:///file or postgresql://...; empty for none.",
    )
    records_upgrade: bool = Field(
        default=True,
        description="Bring the database's tables up to date at the start. Off where `python -m services.gateway.records"
        " upgrade` does that, by a database user who may: until it has, answers go out unrecorded.",
    )
    record_texts: bool = Field(
        default=False,
        description="Keep question, options, guidance and explanation; else only their hashes. People write names into "
        "questions, and nothing that feedback and calibration need is in them.",
    )
    record_hash_secret: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None,
        min_length=32,
        description="Secret under which records keep hashes, of at least 32 random characters and the same for all "
        "gateways on one database. PostgreSQL needs one; beside SQLite's file a file with one is made.",
    )
    record_pictures: bool = Field(default=False, description="Keep the picture as the model got it; else its hash.")
    record_days: int = Field(default=365, ge=0, description="How long records are kept; 0 for ever.")
    audit_secret: Annotated[SecretStr | None, EMPTY_IS_UNSET] = Field(
        default=None,
        min_length=32,
        description="Secret under which the audit log is sealed, of at least 32 random characters and the same for all "
        "gateways on one database. Without it, one is derived from the secret of the hashes.",
    )
    audit_days: int = Field(
        default=730, ge=0, description="Days that the audit log is kept, 184 at least; 0 for ever: longer than records."
    )
    record_deadline_s: float = Field(
        default=2.0, gt=0, description="Longest that an answer waits for its record to be stored; then it goes without."
    )
    record_max_waiting: int = Field(default=1000, ge=1, description="Records in line while the database is away.")

    monitor_every_s: float = Field(default=5.0, gt=0, description="Seconds between two looks at what was reviewed.")
    monitor_window: int = Field(default=500, ge=50, le=5000, description="Newest reviewed answers that figures are of.")
    monitor_groups: tuple[str, ...] = Field(
        default=("modality", "family"),
        max_length=4,
        description="What clients tell in `groups` that figures are given by; each has at most 21 values there.",
    )
    monitor_tolerance: float = Field(
        default=0.02,
        ge=0,
        lt=0.5,
        description="Distance between calibrated confidence and share of right answers that the drift test overlooks: "
        "no less than the error that the calibrators are known to have.",
    )
    monitor_alpha: float = Field(
        default=0.05, gt=0, lt=1, description="Probability of a false drift alarm, ever and over all calibrators."
    )
    alarm_withholds: bool = Field(
        default=True,
        description="Promise nothing by a calibrator while its drift alarm stands: answers are then left to people.",
    )

    @model_validator(mode="before")
    @classmethod
    def _a_set_threshold_counts(cls, values: Any) -> Any:
        # Else a threshold of 0.95 from before max_risk had a default would be one of 0.9, and nobody would know.
        if isinstance(values, dict) and "confidence_threshold" in values and "max_risk" not in values:
            return {**values, "max_risk": None}
        return values

    @field_validator("records_url")
    @classmethod
    def _records_are_somewhere(cls, url: SecretStr) -> SecretStr:
        if url.get_secret_value():
            database_url(url.get_secret_value())
        return url

    @field_validator("audit_days")
    @classmethod
    def _audit_is_kept(cls, days: int) -> int:
        if 0 < days < _LEAST_AUDIT_DAYS:
            raise ValueError(f"must be {_LEAST_AUDIT_DAYS} at least, six months, or 0 for ever")
        return days

    @field_validator("archives")
    @classmethod
    def _archives_are_addresses(cls, archives: frozenset[str]) -> frozenset[str]:
        for archive in archives:
            if not host_of(archive) or "?" in archive or "#" in archive or archive.count("/") < _SLASHES:
                raise ValueError(f"{archive!r} is no archive: write https://, its host and the path of its service")
        return archives

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_exact(cls, origins: frozenset[str]) -> frozenset[str]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin: write it as a browser does, https://app.example")
        return origins

    @field_validator("webhook_secret")
    @classmethod
    def _secret_is_one(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is None:
            return None
        prefix, _, coded = secret.get_secret_value().rpartition("whsec_")
        try:
            size = len(base64.b64decode(coded, validate=True))
        except ValueError:
            size = 0
        if prefix or not 24 <= size <= 64:
            raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
        return secret

    @model_validator(mode="after")
    def _webhooks_are_signed(self) -> Self:
        if self.webhook_hosts and self.webhook_secret is None:
            raise ValueError("webhook_hosts names hosts, so that webhook_secret is needed: nothing goes out unsigned")
        return self

    def for_one_worker(self) -> GatewaySettings:
        """Give the settings of one of several workers: its share of what bounds all of them together."""
        bounds = ((name, getattr(self, name)) for name in _SHARED)
        shares = {name: min(most, max(1, most // self.workers)) for name, most in bounds}  # one of all that there is
        return self.model_copy(update={**shares, "max_waiting": self.max_waiting // self.workers})

    @property
    def asks_who(self) -> bool:
        """Whether callers must show who they are; clients of CDS Hooks do so by tokens of their own."""
        return super().asks_who or bool(self.cds_clients)

    @property
    def image_limits(self) -> PictureLimits:
        """Limits of a picture."""
        return PictureLimits(
            max_pixels=self.max_image_pixels,
            min_side=self.min_image_side,
            max_side=self.max_image_side,
            max_memory=self.image_worker_bytes,
            takes_burned_in=self.all_may_see_text(self.downstream_url, self.burned_in_hosts),
            reads_sex_and_age=self.dicom_groups.reads_sex_and_age,
        )

    @property
    def picture_preparation(self) -> PicturePreparation:
        """The preparation of pictures within these limits."""
        return PicturePreparation.of(self.image_limits)

    @property
    def max_body_bytes(self) -> int:
        """Largest body: the largest image in base64, and room for the other fields."""
        return self.max_image_bytes * 4 // 3 + 1_000_000

    @property
    def notice_text(self) -> str:
        """The line that tells users what they may expect of the models."""
        if self.notice is not None:
            return self.notice
        if "mini" in self.downstream_model.split("-"):
            return "Miniature demonstration models: they show how the system works and are not for clinical use."
        return "Research software: not a medical device, not for clinical use."
