"""Who may activate a policy version: see services.common.admin."""

from __future__ import annotations

from fastapi import Request

from services.common.admin import require_admin
from services.policy.settings import PolicySettings


def check_admin(request: Request, settings: PolicySettings) -> None:
    """Let an administrator's request pass.

    Args:
        request: The request.
        settings: Whether there is a token, and where the service listens.

    Raises:
        HTTPException: 401 if the token is missing or wrong.
        Problem: 403 if there is no token and the request is not known to come from this machine's own user.
    """
    require_admin(
        request,
        settings.admin_token,
        is_loopback=settings.is_loopback,
        kind="activation-closed",
        what="Activation",
        variable="TRUSTVQA_POLICY_ADMIN_TOKEN",
    )
