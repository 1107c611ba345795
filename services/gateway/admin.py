"""Who may read records and change calibrators: see services.common.admin."""

from __future__ import annotations

from fastapi import Request

from services.common.admin import require_admin
from services.gateway.routes import TheGateway


def check_admin(request: Request, gateway: TheGateway) -> None:
    """Let an administrator's request pass.

    Raises:
        HTTPException: 401 if the token is missing or wrong.
        Problem: 403 if there is no token and the request is not known to come from this machine's own user.
    """
    require_admin(
        request,
        gateway.settings.admin_token,
        is_loopback=gateway.settings.is_loopback,
        kind="administration-closed",
        what="Administration",
        variable="TRUSTVQA_GATEWAY_ADMIN_TOKEN",
    )
