"""Tasks for picture workers that do what pictures make decoders do; workers import this module."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prompt4trust.errors import PictureError
from services.common.pictures.worker import Rest

leaked: list[object] = []


def do(
    file: bytes, asked: Mapping[str, Any]
) -> tuple[Mapping[str, Any], bytes] | tuple[Mapping[str, Any], bytes, Rest]:
    """Do what `act` says; in its own process, which it names."""
    me = {"pid": os.getpid()}
    match asked["act"]:
        case "echo":
            return {**me, "asked": asked}, file[::-1]
        case "change":
            return me, bytes.fromhex(asked["head"]) + file[asked["cut"] :] + bytes.fromhex(asked["more"])
        case "later":
            return me, file[::-1], lambda: do(b"", asked["then"])[0]
        case "await":
            while not Path(asked["path"]).exists():
                time.sleep(0.001)
        case "refuse":
            raise PictureError("image-too-small", "The image is too small.")
        case "stall":  # in C, in one call that does not end
            re.match("(a*)*b", "a" * 60)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "take":
            taken = [b"\1" * (asked["bytes"] // 8) for _ in range(8)]
            return {
                **me,
                "taken": sum(map(len, taken)),
                "faults": resource.getrusage(resource.RUSAGE_SELF).ru_minflt,
            }, b""
        case "leak":
            leaked.append(bytearray(asked["bytes"]))
            return me, b""
        case "write":
            Path(asked["path"]).write_bytes(b"something")
        case "fail":
            raise KeyError("a mistake of ours")
        case "look":
            found = [_kind(int(each.name)) for each in Path("/proc/self/fd").iterdir()]
            return {
                **me,
                "listening": found.count("listening"),
                "cores": resource.getrlimit(resource.RLIMIT_CORE)[0],
            }, b""
    return me, b""


def _kind(descriptor: int) -> str:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as found:
            listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        return "no socket"
    return "listening" if listens else "socket"
