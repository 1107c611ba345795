"""Prints what the images weigh: python -m deploy.sizes, or `make image-sizes`, after `make images`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

BASE = "python:3.11-slim"
SERVICES = ("gateway", "policy", "downstream", "trainer")


def size_of(image: str) -> int:
    """Ask the Docker engine what an image weighs, all its layers together, in bytes.

    Raises:
        subprocess.CalledProcessError: If there is no engine, or no such image.
    """
    command = ["docker", "image", "inspect", image]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - names from this file
    return int(json.loads(done.stdout)[0]["Size"])


def table(tag: str) -> str:
    """Compose the table of the documentation.

    Args:
        tag: The images' tag.

    Returns:
        Markdown, sizes in MB of 10^6 bytes.
    """
    base = size_of(BASE)
    lines = [f"| image | over {BASE} (MB) | in all (MB) |", "|---|---:|---:|"]
    for service in SERVICES:
        size = size_of(f"trustvqa/{service}:{tag}")
        lines.append(f"| {service} | {(size - base) / 1e6:.0f} | {size / 1e6:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        sys.stdout.write(table(os.environ.get("STACK_TAG", "local")) + "\n")
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        sys.exit(f"no image to weigh, or no Docker engine (make images builds them): {str(reason).strip()}")
