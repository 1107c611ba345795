"""Makes what was installed ready for an image: no tests, no headers, and byte code.

`python trim.py /usr/local/lib/python3.11/site-packages` needs nothing but Python. The Dockerfile runs it after each
installation; what an earlier layer has is left as it is.
"""

from __future__ import annotations

import compileall
import re
import shutil
import sys
from pathlib import Path

# Their own tests are a quarter of what some of these weigh, and nothing imports them but numpy.testing one of numpy's.
TESTED = ("networkx", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "sympy")
KEPT = frozenset({"__init__.py", "_natype.py"})
# Headers to build extensions with, torch's tests, and programs that nothing starts.
UNUSED = ("torch/include", "torch/test", "pyarrow/include")
PROGRAMS = ("torch/bin", frozenset({"torch_shm_manager"}))
# The services cannot write byte code, so that it is made here; but of several hundred architectures a process imports
# those of its models, and a few whose tokenizers all have. One file is of a later Python than ours.
_IMPORTED = r"auto/|encoder_decoder/|gemma/|gpt2/|llama/|qwen|t5/"
UNCOMPILED = re.compile(rf"/transformers/models/(?!{_IMPORTED})|/py312_intrinsics\.py$")


def trim(site: Path) -> None:
    """Remove what nothing needs when the packages run.

    Args:
        site: The directory that packages are installed into.
    """
    for package in TESTED:
        for folder in [each for each in (site / package).rglob("tests") if each.is_dir()]:
            for path in folder.rglob("*"):
                if path.is_file() and path.name not in KEPT:
                    path.unlink()
    for name in UNUSED:
        shutil.rmtree(site / name, ignore_errors=True)
    programs, kept = PROGRAMS
    for path in (site / programs).glob("*"):
        if path.is_file() and path.name not in kept:
            path.unlink()


def compile_all(site: Path) -> bool:
    """Make the byte code that is missing, on all processors.

    Args:
        site: As above.

    Returns:
        Whether every file could be compiled.
    """
    # By time stamps, the default: by hashes, what lower layers hold would be made and stored again.
    return bool(compileall.compile_dir(site, maxlevels=30, rx=UNCOMPILED, quiet=1, workers=0))


if __name__ == "__main__":
    place = Path(sys.argv[1])
    trim(place)
    sys.exit(not compile_all(place))
