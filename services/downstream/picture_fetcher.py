"""Pictures by address: refused unless the operator has named the host, or where they are too large."""

from __future__ import annotations

import httpx

from services.common.address import host_of
from services.common.openai.errors import OpenAIError


class PictureFetcher:
    """Fetches pictures from named hosts.

    Args:
        http: A client that follows no redirects, since one would lead out of the list.
        hosts: Hosts that may be asked.
        max_bytes: Largest picture.
        timeout_s: Seconds for one picture.
    """

    def __init__(self, http: httpx.AsyncClient, hosts: frozenset[str], max_bytes: int, timeout_s: float) -> None:
        self._http = http
        self._hosts = hosts
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def fetch(self, url: str) -> str | bytes:
        """Get a picture.

        Args:
            url: A data: URL, which is returned as it is, or an address.

        Returns:
            The data: URL, or the file.

        Raises:
            OpenAIError: If the address is not allowed or there is no picture.
        """
        if url[:5].lower() == "data:":
            return url
        host = host_of(url)
        if host is None or host not in self._hosts:
            raise _fault(
                "Images are taken as base64 data: URLs; this server does not fetch from the address given.",
                "image_url_not_allowed",
            )
        try:
            async with self._http.stream("GET", url, timeout=self._timeout_s) as response:
                if response.status_code != httpx.codes.OK:
                    raise _fault(f"The image's host answered {response.status_code}.", "invalid_image_url")
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > self._max_bytes:
                        raise _fault(f"The image has more than {self._max_bytes} bytes.", "invalid_image_url")
                return bytes(data)
        except httpx.HTTPError:
            raise _fault("The image could not be fetched from its host.", "invalid_image_url") from None


def _fault(message: str, code: str) -> OpenAIError:
    return OpenAIError(400, message, param="messages", code=code)
