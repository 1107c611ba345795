"""Tokens to text, and text up to a stop string."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from services.common.engine.decoding.detokenizers import Vocabulary
from services.common.engine.decoding.text_stream import TextStream
from services.common.engine.interface import TokenLogprob
from tests.services.common.engine.tiny import tokenizer

TOKENIZER = tokenizer()
VOCABULARY = Vocabulary(TOKENIZER)


def pieces_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that is not byte-level: words carry their space, and unknown characters fall back to bytes."""
    names = ["<unk>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "▁a", "▁b", "ab", "▁ab"]
    merges = [("▁", "a"), ("▁", "b"), ("a", "b"), ("▁", "ab")]
    backend = Tokenizer(
        models.BPE(vocab={n: i for i, n in enumerate(names)}, merges=merges, unk_token="<unk>", byte_fallback=True)
    )
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>")


PIECES = pieces_tokenizer()


def spoken(vocabulary: Vocabulary, tokens: list[int]) -> list[str]:
    detokenizer = vocabulary.detokenizer()
    return [*(detokenizer.push(token) for token in tokens), detokenizer.flush()]


@given(st.text())
def test_any_text_comes_back_and_never_in_halves_of_characters(text: str) -> None:
    tokens = TOKENIZER(text)["input_ids"]
    said = spoken(VOCABULARY, tokens)
    assert "".join(said) == text
    if "\ufffd" not in text:
        assert not any("\ufffd" in piece for piece in said)


@given(st.lists(st.integers(0, len(TOKENIZER) - 1), max_size=60))
@settings(max_examples=300)
def test_any_tokens_read_as_the_tokenizer_reads_them(tokens: list[int]) -> None:
    assert "".join(spoken(VOCABULARY, tokens)) == TOKENIZER.decode(tokens, skip_special_tokens=True)


@given(st.text(alphabet="ab é漢🩻"))
def test_tokenizers_of_other_kinds_read_the_same(text: str) -> None:
    tokens = PIECES(text)["input_ids"]
    assert "".join(spoken(Vocabulary(PIECES), tokens)) == PIECES.decode(tokens, skip_special_tokens=True)


def test_a_token_beyond_the_tokenizer_says_nothing() -> None:
    assert spoken(VOCABULARY, [len(TOKENIZER) + 5]) == ["", ""]


def test_a_piece_knows_its_bytes() -> None:
    token = TOKENIZER("é")["input_ids"][0]
    assert VOCABULARY.piece(token) == ("\ufffd", b"\xc3")
    word = TOKENIZER.convert_tokens_to_ids("Ġth")
    assert isinstance(word, int)
    assert VOCABULARY.piece(word) == (" th", b" th")


class Syllables:
    """A detokenizer for tests: token i is the i-th of a list of strings."""

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces

    def push(self, token: int) -> str:
        return self._pieces[token]

    def flush(self) -> str:
        return ""


def streamed(pieces: list[str], stop: list[str]) -> list[str]:
    """The text that each token releases."""
    stream = TextStream(Syllables(pieces), stop)
    released = []
    for token in range(len(pieces)):
        stopped = stream.push(token)
        released.append(stream.take(final=stopped)[0])
        if stopped:
            return released
    stream.close()
    return [*released, stream.take(final=True)[0]]


def test_a_stop_string_across_tokens_ends_the_text_and_is_never_sent() -> None:
    assert streamed(["Answer", ": B", "\n", "\nQ", "uestion"], ["\n\nQuest"]) == ["Answer", ": B", "", "", ""]


def test_what_only_looked_like_a_stop_string_is_sent_after_all() -> None:
    assert streamed(["a", "E", "N", "T", "b"], ["END"]) == ["a", "", "", "ENT", "b", ""]


small = st.text(alphabet="abc", max_size=4)


@given(st.lists(small, max_size=20), st.lists(st.text(alphabet="abc", min_size=1, max_size=4), max_size=3))
@settings(max_examples=500)
def test_released_text_is_the_text_before_the_first_stop_string(pieces: list[str], stop: list[str]) -> None:
    released = streamed(pieces, stop)
    # A stop string counts as soon as the text holds it: read the shortest beginning that holds one.
    expected, text = "".join(pieces), ""
    for piece in pieces:
        text += piece
        cuts = [text.find(end) for end in stop if end in text]
        if cuts:
            expected = text[: min(cuts)]
            break
    assert "".join(released) == expected


@pytest.mark.parametrize(("stop", "kept"), [([], 3), (["cd"], 1), (["ef"], 2), (["c"], 1), (["a"], 0)])
def test_log_probabilities_belong_to_the_text_that_is_kept(stop: list[str], kept: int) -> None:
    pieces = ["ab", "cd", "ef"]
    stream = TextStream(Syllables(pieces), stop)
    tokens: list[TokenLogprob] = []
    for number, piece in enumerate(pieces):
        stopped = stream.push(number, TokenLogprob(piece, piece.encode(), -1.0))
        tokens += stream.take(final=stopped)[1]
        if stopped:
            break
    tokens += stream.take(final=True)[1]
    assert [token.text for token in tokens] == pieces[:kept]
