"""Keys and values of all running samples, one slot each, without a copy when the batch changes.

Samples of different length share a batch because every slot starts at position 0 and has a length of its own: a
sample joins by writing its prompt into the next slot and leaves by having the last slot moved into its place. Running
samples thus are always the first slots, and a step reads them as one view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AttentionInterface, Cache

ATTENTION = "trustvqa_slots"
_STRIDE = 16
"""A step looks at a multiple of this many places: whole vectors, and few of the places in vain."""


def _rounded(length: int) -> int:
    return -(-length // _STRIDE) * _STRIDE


@dataclass(frozen=True, slots=True)
class _Tails:
    """Places of prompts' last parts, int64 [tokens]: token (batch, offset) of a pass is (row, column) of the slots."""

    batch: torch.Tensor
    offsets: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor

    @classmethod
    def of(cls, first: int, known: torch.Tensor, lengths: torch.Tensor) -> _Tails:
        inside = torch.arange(int(lengths.max()), device=lengths.device)[None, :] < lengths[:, None]
        batch, offsets = inside.nonzero(as_tuple=True)
        return cls(batch, offsets, batch + first, known[batch] + offsets)


class SlotCache(Cache):
    """A key-value cache in transformers' interface, for models whose layers all attend to the whole past.

    Args:
        layers: Number of decoder layers.
        slots: Most samples that run at once.
        max_len: Most tokens of a sample.
    """

    def __init__(self, layers: int, slots: int, max_len: int) -> None:
        super().__init__(layers=[])
        self.slots = slots
        self.max_len = max_len
        self._keys: list[torch.Tensor | None] = [None] * layers
        self._values: list[torch.Tensor | None] = [None] * layers
        self._capacity = 0
        self._room = 0
        # Where the running forward pass writes: `_slots`, whole prompts (`_rows` is None), prompts' last parts
        # (`_tails`), several tokens of the first slot from `_start` on, or one token in each of `_rows` at `_columns`,
        # of a single row at `_place`.
        self._slots = slice(0)
        self._start: int | None = None
        self._rows: torch.Tensor | None = None
        self._columns: torch.Tensor | None = None
        self._place: tuple[int, int] | None = None
        self._view = 0
        self._tails: _Tails | None = None
        self._last: torch.Tensor | None = None
        self._last_columns: torch.Tensor | None = None

    @property
    def room(self) -> int:
        """How many tokens each slot has places for now; it grows with use."""
        return self._room

    @property
    def last(self) -> torch.Tensor | None:
        """Place of each prompt's last token among those that are read, int64 [prompts]; None in a step."""
        return self._last

    @property
    def last_columns(self) -> torch.Tensor:
        """Place of each prompt's last token in its slot while prompts are read, int64 [prompts]."""
        assert self._last_columns is not None  # noqa: S101 - asked for while prompts are read
        return self._last_columns

    def begin_prefill(self, first: int, last: torch.Tensor, length: int) -> None:
        """Make ready for prompts that are padded on their right.

        Args:
            first: Slot of the first prompt; the others follow.
            last: Place of each prompt's last token, int64 [prompts].
            length: Length of the longest.
        """
        self._reserve(first + len(last), length)
        self._slots, self._rows, self._tails, self._start = slice(first, first + len(last)), None, None, None
        self._last = self._last_columns = last

    def begin_tails(self, first: int, known: torch.Tensor, lengths: torch.Tensor) -> int:
        """Make ready for the last parts of prompts whose first parts are in their slots; padded on their right.

        Args:
            first: Slot of the first prompt; the others follow.
            known: How many tokens each slot holds, int64 [prompts].
            lengths: How many more are read, int64 [prompts].

        Returns:
            How many positions of the cache the pass will look at.
        """
        longest = int((known + lengths).max())
        self._reserve(first + len(known), longest)
        self._slots, self._rows, self._tails = slice(first, first + len(known)), None, _Tails.of(first, known, lengths)
        self._last, self._last_columns, self._start = lengths - 1, known + lengths - 1, None
        self._view = min(_rounded(longest), self._room)
        return self._view

    def begin_last_tokens(self) -> int:
        """Make ready for the prompts' last tokens alone; the layer that comes has stored its prompts already.

        Returns:
            How many positions of the cache that layer will look at.
        """
        self._columns, self._tails = self.last_columns, None
        self._rows = torch.arange(self._slots.start, self._slots.stop, device=self._columns.device)
        longest = int(self._columns.max())
        self._place = (self._slots.start, longest) if len(self._rows) == 1 else None
        self._view = min(_rounded(longest + 1), self._room)
        return self._view

    def begin_step(self, rows: torch.Tensor, columns: torch.Tensor, longest: int) -> int:
        """Make ready for one more token in each of the first slots.

        Args:
            rows: 0, 1, ... as int64 [batch].
            columns: Number of tokens that each slot holds, int64 [batch].
            longest: The greatest of them.

        Returns:
            How many positions of the cache the step will look at; for a single slot, those that it holds.
        """
        self._reserve(len(rows), longest + 1)
        self._slots, self._rows, self._columns, self._last = slice(len(rows)), rows, columns, None
        self._tails, self._start = None, None
        self._place = (0, longest) if len(rows) == 1 else None
        self._view = longest + 1 if self._place else min(_rounded(longest + 1), self._room)
        return self._view

    def begin_stretch(self, start: int, count: int) -> int:
        """Make ready for several tokens in the first slot; what they are put in place of is forgotten.

        Args:
            start: How many tokens the slot holds before them.
            count: How many come.

        Returns:
            How many positions of the cache the pass will look at: those that the slot holds then.
        """
        self._reserve(1, start + count)
        self._slots, self._rows, self._last, self._tails, self._start = slice(1), None, None, None, start
        self._view = start + count
        return self._view

    def fork(self, source: int, targets: Sequence[int], length: int) -> None:
        """Copy the first positions of a slot into others."""
        self._reserve(max(targets) + 1, length)
        for store in (*self._keys, *self._values):
            if store is not None:
                store[min(targets) : max(targets) + 1, :, :length] = store[source, :, :length]

    def move(self, source: int, target: int, length: int) -> None:
        """Move a slot to another place."""
        for store in (*self._keys, *self._values):
            if store is not None:
                store[target, :, :length] = store[source, :, :length]

    def copy_out(self, slot: int, length: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Copy a slot's first keys and values, of each layer [heads, length, width]."""
        keys, values = (
            [store[slot, :, :length].clone() for store in stores if store is not None]
            for stores in (self._keys, self._values)
        )
        return keys, values

    def copy_in(self, slot: int, keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor], length: int) -> None:
        """Put the first keys and values of `copy_out` into a slot."""
        self._reserve(slot + 1, length)
        for stores, parts in ((self._keys, keys), (self._values, values)):
            for layer, part in enumerate(parts):
                self._store(stores, layer, part[None])[slot, :, :length] = part[:, :length]

    def _reserve(self, slots: int, length: int) -> None:
        if slots <= self._capacity and length <= self._room:
            return
        # Doubling keeps the number of copies logarithmic; a large model's cache starts small.
        if slots > self._capacity:
            self._capacity = min(max(slots, 2 * self._capacity, 4), self.slots)
        if length > self._room:
            self._room = min(_rounded(max(length, 2 * self._room, 256)), _rounded(self.max_len))
        for stores in (self._keys, self._values):
            for layer, store in enumerate(stores):
                if store is not None:
                    stores[layer] = self._grown(store)

    def _grown(self, store: torch.Tensor) -> torch.Tensor:
        slots, heads, room, width = store.shape
        grown = store.new_zeros(self._capacity, heads, self._room, width)
        grown[:slots, :, :room] = store
        return grown

    def _store(self, stores: list[torch.Tensor | None], layer: int, new: torch.Tensor) -> torch.Tensor:
        store = stores[layer]
        if store is None:
            store = new.new_zeros(self._capacity, new.shape[1], self._room, new.shape[3])
            stores[layer] = store
        return store

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store a layer's new keys and values [batch, heads, new, width] and return those to attend to."""
        keys = self._store(self._keys, layer_idx, key_states)
        values = self._store(self._values, layer_idx, value_states)
        if (tails := self._tails) is not None:
            keys[tails.rows, :, tails.columns] = key_states[tails.batch, :, tails.offsets]
            values[tails.rows, :, tails.columns] = value_states[tails.batch, :, tails.offsets]
            return keys[self._slots, :, : self._view], values[self._slots, :, : self._view]
        if self._start is not None:
            keys[0, :, self._start : self._view] = key_states[0]
            values[0, :, self._start : self._view] = value_states[0]
            return keys[self._slots, :, : self._view], values[self._slots, :, : self._view]
        if self._rows is None:
            length = key_states.shape[2]
            keys[self._slots, :, :length] = key_states
            values[self._slots, :, :length] = value_states
            return key_states, value_states  # a prompt attends to itself alone
        if self._place is not None:  # by numbers, which takes a fraction of the time that tensors of numbers take
            row, column = self._place
            keys[row, :, column] = key_states[0, :, 0]
            values[row, :, column] = value_states[0, :, 0]
        else:
            keys[self._rows, :, self._columns] = key_states[:, :, 0]
            values[self._rows, :, self._columns] = value_states[:, :, 0]
        return keys[self._slots, :, : self._view], values[self._slots, :, : self._view]

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002 - the signature is the library's
        """Report no past: positions are always given, never derived from the cache."""
        return 0


def slot_mask(columns: torch.Tensor, view: int, dtype: torch.dtype) -> torch.Tensor:
    """Let one new token in each slot see what its slot holds, itself included.

    Args:
        columns: The tokens' places, int64 [batch].
        view: How many positions are looked at.
        dtype: Of the scores that the mask is added to.

    Returns:
        0 where a slot holds a token and -inf elsewhere, [batch, 1, 1, view].
    """
    held = torch.arange(view, device=columns.device)[None, :] <= columns[:, None]
    mask = torch.zeros(held.shape, dtype=dtype, device=columns.device)
    return mask.masked_fill_(~held, -torch.inf)[:, None, None, :]


def tail_mask(known: torch.Tensor, longest: int, view: int, dtype: torch.dtype) -> torch.Tensor:
    """Let each token of prompts' last parts see what its slot holds, and those before it.

    Args:
        known: How many tokens each slot holds, int64 [batch].
        longest: Length of the longest last part.
        view: How many positions are looked at.
        dtype: Of the scores that the mask is added to.

    Returns:
        0 for what may be seen and -inf elsewhere, [batch, 1, longest, view].
    """
    places = known[:, None] + torch.arange(longest, device=known.device)
    seen = torch.arange(view, device=known.device) <= places[..., None]
    mask = torch.zeros(seen.shape, dtype=dtype, device=known.device)
    return mask.masked_fill_(~seen, -torch.inf)[:, None]


def slot_attention(
    module: torch.nn.Module,  # noqa: ARG001 - the signature is the library's
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend causally within a prompt (no mask), or from new tokens to a slot (additive mask [batch, 1, new, past]).

    Args:
        module: The attention layer.
        query: [batch, heads, new, width].
        key: [batch, key-value heads, past, width].
        value: Like the key.
        attention_mask: None for a whole prompt; else 0 for what a token may see of its slot and -inf elsewhere.
        scaling: Factor on the scores; by default 1 / sqrt(width).

    Returns:
        [batch, new, heads, width], and None for the weights that are not kept.
    """
    batch, heads, length, width = query.shape
    groups = heads // key.shape[1]
    attend = torch.nn.functional.scaled_dot_product_attention
    if attention_mask is None:
        if groups > 1:
            key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
        mixed = attend(query, key, value, is_causal=True, scale=scaling)
        return mixed.transpose(1, 2), None
    # The query heads that share a key-value head take the place of query positions, so nothing is repeated.
    grouped = query.reshape(batch, key.shape[1], groups * length, width)
    mask = attention_mask if length == 1 else attention_mask.repeat(1, 1, groups, 1)
    mixed = attend(grouped, key, value, attn_mask=mask, scale=scaling)
    return mixed.reshape(batch, heads, length, width).transpose(1, 2), None


def register_attention() -> str:
    """Make `slot_attention` known to transformers and return its name; doing so again changes nothing."""
    AttentionInterface.register(ATTENTION, slot_attention)
    return ATTENTION
