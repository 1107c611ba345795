"""API keys: the keys, the file that holds their hashes, and the authenticator that asks for them."""

from __future__ import annotations

from services.common.auth.access import OPEN, requires
from services.common.auth.key import Key, KeyFile, Right, make_key
from services.common.auth.keyring import Keyring

__all__ = ["OPEN", "Key", "KeyFile", "Keyring", "Right", "make_key", "requires"]
