"""Headers of pages: a browser runs nothing but the service's own files."""

from __future__ import annotations

from typing import Final

PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: forms would then be sent with `Origin: null`, which cannot be told from another site's.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Checked with the server each time, by a cheap conditional request: a new release is seen at once.
    "Cache-Control": "no-cache",
}
"""Headers of every page that has scripts, and of its files."""
