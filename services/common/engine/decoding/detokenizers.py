"""Tokens to text, one token at a time, with characters that several tokens share kept back until they are whole."""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import Protocol

from tokenizers import decoders
from transformers import PreTrainedTokenizerBase

_REPLACEMENT = "\ufffd"


class Detokenizer(Protocol):
    """The text of one sample as it grows."""

    def push(self, token: int) -> str:
        """Take the next token and return the text that became certain; "" while a character is incomplete."""
        ...

    def flush(self) -> str:
        """Return what an incomplete character at the end stands for."""
        ...


class Vocabulary:
    """The text and bytes that each token stands for.

    Args:
        tokenizer: A fast tokenizer. Byte-level ones (GPT-2's kind, as Qwen's and Llama 3's) are decoded byte by byte;
            for others the tokenizer is asked about a sliding window.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._special = frozenset(tokenizer.all_special_ids)
        self._pieces: list[bytes] | None = None
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is not None and isinstance(backend.decoder, decoders.ByteLevel):
            table = _byte_of_character()
            names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
            self._pieces = [_piece(name, table) for name in names]

    def detokenizer(self) -> Detokenizer:
        """Begin a text."""
        if self._pieces is not None:
            return _ByteDetokenizer(self._pieces, self._special)
        return _WindowDetokenizer(self._tokenizer, self._special)

    def piece(self, token: int) -> tuple[str, bytes]:
        """Describe a token on its own, special tokens included.

        Returns:
            Its text, with replacement characters where it is no whole character, and its bytes.
        """
        if self._pieces is not None:
            data = self._pieces[token] if token < len(self._pieces) else b""
            return data.decode("utf-8", "replace"), data
        text = self._tokenizer.decode([token])
        assert isinstance(text, str)  # noqa: S101 - one sequence gives one string
        return text, text.encode()


class _ByteDetokenizer:
    def __init__(self, pieces: list[bytes], special: frozenset[int]) -> None:
        self._pieces = pieces
        self._special = special
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        if token in self._special or token >= len(self._pieces):  # vocabularies are padded for speed
            return ""
        return self._decoder.decode(self._pieces[token])

    def flush(self) -> str:
        return self._decoder.decode(b"", True)


class _WindowDetokenizer:
    """Decodes the tail twice, without and with the new token; the difference is the token's text in its context."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, special: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._special = special
        self._tokens: list[int] = []
        self._settled = 0
        self._said = 0

    def push(self, token: int) -> str:
        if token in self._special:
            return ""
        self._tokens.append(token)
        whole = self._decode(self._tokens[self._settled :])
        if whole.endswith(_REPLACEMENT):
            return ""
        return self._say(whole)

    def flush(self) -> str:
        return self._say(self._decode(self._tokens[self._settled :]))

    def _say(self, whole: str) -> str:
        before = self._decode(self._tokens[self._settled : self._said])
        self._settled, self._said = self._said, len(self._tokens)
        return whole[len(before) :]

    def _decode(self, tokens: list[int]) -> str:
        text = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)  # noqa: S101 - one sequence gives one string
        return text


@lru_cache(maxsize=1)
def _byte_of_character() -> dict[str, int]:
    """Invert byte-level BPE's alphabet: printable Latin-1 stands for itself, other bytes for U+0100 and on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


def _piece(name: str | None, table: dict[str, int]) -> bytes:
    if name is None:
        return b""
    if all(character in table for character in name):
        return bytes(table[character] for character in name)
    return name.encode()  # an added token is spelt in plain text
