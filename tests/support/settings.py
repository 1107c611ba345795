"""Settings of a service that exists in tests alone."""

from __future__ import annotations

from typing import Any

from pydantic_settings import PydanticBaseSettingsSource

from services.common.settings import ServiceSettings


class DemoSettings(ServiceSettings, service="demo"):
    """Settings of a service that no environment and no file knows: the test's own and the defaults."""

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what the constructor was given."""
        return (sources["init_settings"],)
