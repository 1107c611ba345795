"""Looks after the records' tables: python -m services.gateway.records upgrade, or check.

Reads the gateway's settings from where the gateway does. Ends with status 0 when the tables are what this version of
the software works with, 1 when the database cannot be reached, 2 when a newer version has used it or
settings cannot be used, 3 when `check` finds
that they are older.

`hash` reads a text or a picture's file from standard input and prints the hash that records keep of it, behind the name
of its key; with status 4 where there is no secret for that.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys

from sqlalchemy.exc import SQLAlchemyError

from services.common.startup import read_settings
from services.gateway.database_url import database_url
from services.gateway.records.connection.database import Database
from services.gateway.records.connection.hash_key import find_hash_key, secret_file
from services.gateway.records.errors import HashSecretError
from services.gateway.records.migrations.upgrading import NewerDatabaseError, OlderDatabaseError
from services.gateway.settings import GatewaySettings

ACTIONS = ("upgrade", "check", "hash")
AWAY, NEWER, OLDER, KEYLESS = 1, 2, 3, 4
_PATIENCE_S = 60.0


async def look_after(settings: GatewaySettings, *, upgrades: bool) -> tuple[int, str]:
    """Bring the tables up to date, or see whether they are.

    Args:
        settings: The gateway's.
        upgrades: Whether they may be changed.

    Returns:
        The status to end with, and what to say.
    """
    url = settings.records_url.get_secret_value()
    if not url:
        return 0, "no records are kept: records_url is empty"
    database = Database(database_url(url), timeout_s=_PATIENCE_S, upgrades=upgrades)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await database.prepare()
    except NewerDatabaseError as error:
        return NEWER, str(error)
    except OlderDatabaseError as error:
        return OLDER, str(error)
    except (SQLAlchemyError, OSError) as error:
        # A message of SQLAlchemy's may quote the address, and with it a password.
        return AWAY, f"the records' database cannot be used: {type(getattr(error, 'orig', None) or error).__name__}"
    finally:
        await database.close()
    return 0, "the records' tables are up to date"


async def hash_of(content: bytes, settings: GatewaySettings) -> tuple[int, str]:
    """Compute what records keep of a text or a picture.

    Args:
        content: The text in UTF-8, or the file.
        settings: The gateway's.

    Returns:
        The status to end with, and what to say.
    """
    url, secret = settings.records_url.get_secret_value(), settings.record_hash_secret
    if not url:
        return KEYLESS, "no records are kept: records_url is empty"
    database = Database(database_url(url), timeout_s=_PATIENCE_S)
    try:
        if secret is None and database.file is not None and not secret_file(database.file).exists():
            return KEYLESS, f"there is no secret yet: a gateway makes {secret_file(database.file)}"
        key = await find_hash_key(database, None if secret is None else secret.get_secret_value())
    except (HashSecretError, OSError) as error:
        return KEYLESS, str(error)
    finally:
        await database.close()
    return 0, f"{key.id} {key.of(hashlib.sha256(content).hexdigest())}"


def main() -> int:
    """Run the command; return its status."""
    parser = argparse.ArgumentParser(prog="python -m services.gateway.records", description=__doc__)
    parser.add_argument("action", choices=ACTIONS)
    chosen = parser.parse_args()
    settings = read_settings(GatewaySettings)
    if chosen.action == "hash":
        doing = hash_of(sys.stdin.buffer.read(), settings)
    else:
        doing = look_after(settings, upgrades=chosen.action == "upgrade")
    status, said = asyncio.run(doing)
    (sys.stderr if status else sys.stdout).write(f"{said}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
