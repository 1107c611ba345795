"""API keys as bearer tokens (RFC 6750)."""

from __future__ import annotations

from pydantic import SecretStr


def bearer(api_key: str | SecretStr | None) -> dict[str, str]:
    """Make the header that shows an API key; none where there is no key, or an empty one."""
    key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    return {"Authorization": f"Bearer {key}"} if key else {}
