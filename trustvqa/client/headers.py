"""Headers with a key or a token in them, checked before anything is sent: what writes headers shows what it refuses."""

from __future__ import annotations

from trustvqa.client.api_key import UnreadableKeyError, is_writable
from trustvqa.client.errors import ClientError


def bearer_header(secret: str | None, what: str = "API key") -> dict[str, str]:
    """Make the header that shows a key or a token (RFC 6750).

    Args:
        secret: Its text; space around it is left out.
        what: The word for it in messages.

    Returns:
        The header; none where there is no secret, or an empty one.

    Raises:
        UnreadableKeyError: If it cannot stand in a header; the message does not show it.

    Example:
        >>> bearer_header("tvqa_example"), bearer_header(None)
        ({'Authorization': 'Bearer tvqa_example'}, {})
    """
    shown = (secret or "").strip()
    if not is_writable(shown):
        raise UnreadableKeyError(f"the {what} has characters that no {what} has: it is one word of visible ASCII")
    return {"Authorization": f"Bearer {shown}"} if shown else {}


def idempotency_header(key: str) -> dict[str, str]:
    """Make the header by which a gateway knows a request again.

    Raises:
        ClientError: If the key cannot stand in a header.

    Example:
        >>> idempotency_header("0123456789abcdef")
        {'Idempotency-Key': '"0123456789abcdef"'}
    """
    if not is_writable(key):
        raise ClientError("an idempotency key is of visible ASCII characters")
    return {"Idempotency-Key": f'"{key}"'}
