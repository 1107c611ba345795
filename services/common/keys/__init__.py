"""API keys: what they are, the file that holds their hashes, and the guard that asks for them."""

from __future__ import annotations

from services.common.keys.access import OPEN, requires
from services.common.keys.key import Key, KeyFile, Right, make_key
from services.common.keys.keyring import Keyring

__all__ = ["OPEN", "Key", "KeyFile", "Keyring", "Right", "make_key", "requires"]
