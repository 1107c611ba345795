"""The cost of importing the library: no torch, no web framework, and not scipy.stats, which takes most of a second."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import prompt4trust

HEAVY = ("torch", "transformers", "fastapi", "starlette", "httpx", "trl", "datasets", "scipy.stats")

PROBE = """
import importlib, json, pkgutil, sys
import prompt4trust
names = [module.name for module in pkgutil.walk_packages(prompt4trust.__path__, "prompt4trust.")]
for name in names:
    importlib.import_module(name)
print(json.dumps({"imported": names, "loaded": sorted(sys.modules)}))
"""


def test_importing_every_module_loads_no_torch_and_no_web_framework() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    expected = {module.name for module in pkgutil.walk_packages(prompt4trust.__path__, "prompt4trust.")}
    assert set(seen["imported"]) == expected
    assert len(expected) > 20
    assert not set(HEAVY) & set(seen["loaded"])
