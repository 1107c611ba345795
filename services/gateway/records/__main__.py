"""Looks after the records' tables: python -m services.gateway.records upgrade, or check.

Reads the gateway's settings from where the gateway does. Ends with status 0 when the tables are what this version of
the software works with, 1 when the database cannot be reached, 2 when a newer version has used it, 3 when `check` finds
that they are older.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from sqlalchemy.exc import SQLAlchemyError

from services.gateway.database_url import database_url
from services.gateway.records.database import Database
from services.gateway.records.migrations.upgrading import NewerDatabaseError, OlderDatabaseError
from services.gateway.settings import GatewaySettings

ACTIONS = ("upgrade", "check")
AWAY, NEWER, OLDER = 1, 2, 3
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


def main() -> int:
    """Run the command; return its status."""
    parser = argparse.ArgumentParser(prog="python -m services.gateway.records", description=__doc__)
    parser.add_argument("action", choices=ACTIONS)
    chosen = parser.parse_args()
    status, said = asyncio.run(look_after(GatewaySettings(), upgrades=chosen.action == "upgrade"))
    (sys.stderr if status else sys.stdout).write(f"{said}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
