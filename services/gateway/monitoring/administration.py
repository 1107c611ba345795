"""The policy of pages about calibration: they run nothing but, for administrators, the script that sends their word."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from trustvqa.reports.rendering import STYLE

SCRIPT: Final = "/static/administration.js"
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def headers_of(*, administers: bool) -> dict[str, str]:
    """Headers of such a page.

    Args:
        administers: Whether it is shown to an administrator.
    """
    script = "script-src 'self'; connect-src 'self'; " if administers else ""
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; {script}style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        ),
        # Not no-referrer where something is sent: requests would then come with `Origin: null`, as from elsewhere.
        "Referrer-Policy": "same-origin" if administers else "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
