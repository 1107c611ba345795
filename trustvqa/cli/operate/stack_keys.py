"""The keys of a stack of containers, made on its first start."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prompt4trust.files import write_atomically
from services.common.auth import Right, make_key
from services.common.auth.key_file import change_keys, read_keys
from trustvqa.cli.errors import CommandError

# Who asks whom in a stack. Each finds the key as a secret of its own: see ServiceSettings.
_ASKING = ("GATEWAY_POLICY", "GATEWAY_DOWNSTREAM", "TRAINER_POLICY", "TRAINER_DOWNSTREAM")
_PRIVATE, _PUBLIC = 0o600, 0o644


def make_stack_keys(file: Path, first_key: Path, stack_keys: Path, metrics_key: Path, *, now: datetime) -> bool:
    """Make the keys of a stack, unless it has some.

    Args:
        file: The hashes, for all services.
        first_key: Where the text of the first person's key goes, which may do everything.
        stack_keys: Directory that gets the key, one for all, that gateway and trainer show to policy and downstream.
        metrics_key: Where the text of the scraper's key goes. Whoever gets its directory mounted may read it.
        now: The time.

    Returns:
        Whether keys were made.

    Raises:
        KeysError: If there is a file that cannot be read: it is left alone, since somebody has the keys to it.
        OSError: If something cannot be written.
    """
    if file.exists():
        read_keys(file)
        return False
    person, first = make_key("first", [Right.ADMIN], created=now)
    # Of no use at the gateway: a hosted model that is named without a key of its own is sent this one.
    stack, between = make_key("stack", [Right.ASK], created=now, services=["policy", "downstream"])
    scraper, metrics = make_key("metrics", [Right.METRICS], created=now)
    write_atomically(first_key, person + "\n", _PRIVATE)
    for asking in _ASKING:
        write_atomically(stack_keys / f"TRUSTVQA_{asking}_API_KEY", stack + "\n", _PRIVATE)
    # The scraper is another image with another user.
    metrics_key.parent.mkdir(parents=True, exist_ok=True)
    metrics_key.parent.chmod(0o755)
    write_atomically(metrics_key, scraper + "\n", _PUBLIC)
    # Last: where this process is killed before, the next one makes everything anew.
    change_keys(file, lambda _: (first, between, metrics))
    return True


def read_first_key(first_key: Path) -> str:
    """Read the first key's text.

    Raises:
        CommandError: If it is not there.
    """
    try:
        return first_key.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise CommandError(
            f"there is no {first_key}: make another key with `keys new --name NAME --scope admin`"
        ) from None
