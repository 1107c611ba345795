"""The running policy service, as its routes use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.common.http.health import Dependency
from services.common.registry.directory import Registry
from services.policy.cgp_writer import CgpWriter
from services.policy.settings import PolicySettings
from services.policy.shared_guidance import SharedGuidance
from services.policy.versions.policy_versions import PolicyVersions


@dataclass(frozen=True, slots=True)
class PolicyService:
    """The parts of a running policy service; made when the application starts.

    Attributes:
        settings: Its settings.
        registry: Where policy versions are.
        versions: Those in memory.
        writer: Answers requests.
        shared: Guidance of other policy services; None where there is nothing to share it by.
    """

    settings: PolicySettings
    registry: Registry
    versions: PolicyVersions
    writer: CgpWriter
    shared: SharedGuidance | None = None

    async def readiness(self) -> dict[str, Dependency]:
        """Check whether a policy is live, and whether it is the one that the registry names."""
        live = self.versions.active
        if live is not None and (trouble := await self.versions.live_trouble()) is not None:
            return {"policy": Dependency(ok=False, detail=f"{live}: {trouble}")}
        if live is None and self.versions.trouble is None and not self.settings.required:
            return {"policy": Dependency(ok=True, required=False, detail="none, and none is needed")}
        found = {"policy": Dependency(ok=live is not None, detail=live or self.versions.trouble or "loading")}
        if live is not None and self.versions.trouble is not None:
            found["registry"] = Dependency(ok=False, required=False, detail=self.versions.trouble)
        if self.shared is not None:
            trouble = self.shared.trouble
            found["guidance_cache"] = Dependency(ok=trouble is None, required=False, detail=trouble or "")
        return found

    async def version_info(self) -> dict[str, Any]:
        """List the policies that are live and loaded."""
        return {
            "policy": {
                "active": self.versions.active,
                "loaded": sorted(self.versions.loaded),
                "engine": self.settings.engine,
            }
        }
