"""Settings of guidance: when the policy is left alone, and what is kept of what it wrote."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class GuidanceSettings(BaseSettings):
    """Settings of guidance; see the gateway's settings for where values come from."""

    policy_failures: int = Field(
        default=3, ge=1, description="Failures of the policy in a row after which it is left alone a while."
    )
    policy_pause_s: float = Field(default=5.0, ge=0, description="That while.")
    kept_guidance: int = Field(
        default=1024,
        ge=0,
        le=100_000,
        description="Guidance that is kept for questions that are asked again within five minutes, so that they need "
        "no request to the policy; 0 for none.",
    )
    policy_check_s: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="How often the policy service is asked which version is live while guidance is used, in seconds: "
        "kept guidance of another version is used for at most twice as long.",
    )
