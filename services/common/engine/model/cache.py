"""Keys and values of all running samples, one slot each, without a copy when the batch changes.

Samples of different length share a batch because every slot starts at position 0 and has a length of its own: a
sample joins by writing its prompt into the next slot and leaves by having the last slot moved into its place. Running
samples thus are always the first slots, and a step reads them as one view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AttentionInterface, Cache

ATTENTION = "trustvqa_slots"
_STRIDE = 16
"""A step looks at a multiple of this many places: whole vectors, and few of the places in vain."""


def _rounded(length: int) -> int:
    return -(-length // _STRIDE) * _STRIDE


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
        # Where the running forward pass writes: `_slots`, whole prompts (`_rows` is None) or one token in each of
        # `_rows` at `_columns`.
        self._slots = slice(0)
        self._rows: torch.Tensor | None = None
        self._columns: torch.Tensor | None = None
        self._view = 0
        self._last: torch.Tensor | None = None

    @property
    def last(self) -> torch.Tensor | None:
        """Place of each prompt's last token while prompts are read, int64 [prompts]; None in a step."""
        return self._last

    def begin_prefill(self, first: int, last: torch.Tensor, length: int) -> None:
        """Make ready for prompts that are padded on their right.

        Args:
            first: Slot of the first prompt; the others follow.
            last: Place of each prompt's last token, int64 [prompts].
            length: Length of the longest.
        """
        self._reserve(first + len(last), length)
        self._slots, self._rows, self._last = slice(first, first + len(last)), None, last

    def begin_last_tokens(self) -> int:
        """Make ready for the prompts' last tokens alone; the layer that comes has stored its prompts already.

        Returns:
            How many positions of the cache that layer will look at.
        """
        assert self._last is not None  # noqa: S101 - called while prompts are read
        self._rows = torch.arange(self._slots.start, self._slots.stop, device=self._last.device)
        self._columns = self._last
        self._view = min(_rounded(int(self._last.max()) + 1), self._room)
        return self._view

    def begin_step(self, rows: torch.Tensor, columns: torch.Tensor, longest: int) -> int:
        """Make ready for one more token in each of the first slots.

        Args:
            rows: 0, 1, ... as int64 [batch].
            columns: Number of tokens that each slot holds, int64 [batch].
            longest: The greatest of them.

        Returns:
            How many positions of the cache the step will look at.
        """
        self._reserve(len(rows), longest + 1)
        self._slots, self._rows, self._columns, self._last = slice(len(rows)), rows, columns, None
        self._view = min(_rounded(longest + 1), self._room)
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
        if self._rows is None:
            length = key_states.shape[2]
            keys[self._slots, :, :length] = key_states
            values[self._slots, :, :length] = value_states
            return key_states, value_states  # a prompt attends to itself alone
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


def slot_attention(
    module: torch.nn.Module,  # noqa: ARG001 - the signature is the library's
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend causally within a prompt (no mask), or from one new token to a slot (additive mask [batch, 1, 1, past]).

    Args:
        module: The attention layer.
        query: [batch, heads, new, width].
        key: [batch, key-value heads, past, width].
        value: Like the key.
        attention_mask: None for a prompt; for a step 0 where a slot holds a token and -inf elsewhere.
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
    mixed = attend(grouped, key, value, attn_mask=attention_mask, scale=scaling)
    return mixed.reshape(batch, 1, heads, width), None


def register_attention() -> str:
    """Make `slot_attention` known to transformers and return its name; doing so again changes nothing."""
    AttentionInterface.register(ATTENTION, slot_attention)
    return ATTENTION
