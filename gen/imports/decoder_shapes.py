"""The linear layers of a decoder of the Llama kind: their names and shapes, from the numbers that describe it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golden.errors import TritweaveError


@dataclass(frozen=True)
class Decoder:
    """Sizes of a decoder.

    Parameters
    ----------
    blocks
        Blocks of attention and feed-forward network, up to 4096.
    hidden
        Length of the vector between blocks.
    intermediate
        Length of the vector inside a feed-forward network.
    heads, key_heads
        Attention heads, and how many of them have keys and values of their own.
    head
        Length of a head's query, key and value.
    by_block
        Key heads of each block, where they are not the same in all; `key_heads` is the most of them.

    """

    blocks: int
    hidden: int
    intermediate: int
    heads: int
    key_heads: int
    head: int
    by_block: tuple[int, ...] = ()

    @classmethod
    def read(cls, path: Path, numbers: Mapping[str, Any], keys: tuple[str, ...]) -> "Decoder":
        """Take the sizes from `numbers`, whose keys are in the order of the parameters.

        Without a number of key heads, every head has keys; it may be a list with one for each block. Without a head's
        length, the heads share `hidden`.
        """
        values: list[Any] = [numbers.get(key) for key in keys]
        listed = values[4] if isinstance(values[4], list) else [values[3] if values[4] is None else values[4]]
        pairs = [*zip(keys[:4], values[:4], strict=True), *((keys[4], value) for value in listed)]
        for key, value in pairs:
            if type(value) is not int or not 1 <= value < 1 << 32:
                raise TritweaveError(f"{path}: {key} is {value}; it must be a positive whole number")
        blocks, hidden, intermediate, heads, _, head = values
        if head is None:
            head = hidden // heads
        if type(head) is not int or not 1 <= head < 1 << 32 or blocks > 4096:
            raise TritweaveError(f"{path}: {keys[5]} is {head} and {keys[0]} is {blocks}; 1 to 4096 blocks are read")
        if isinstance(values[4], list) and len(listed) != blocks:
            raise TritweaveError(f"{path}: {keys[4]} has {len(listed)} numbers for {blocks} blocks")
        by_block = tuple(listed) if len(set(listed)) > 1 else ()
        return cls(blocks, hidden, intermediate, heads, max(listed), head, by_block)

    def layers(self, prefix: str, names: tuple[str, str, str, str, str, str, str]) -> dict[str, tuple[int, int]]:
        """Outputs and inputs by name, in the order in which they compute.

        `names` are those of query, key, value, output, gate, up and down.
        """
        attention, found = self.heads * self.head, {}
        for block, key_heads in enumerate(self.by_block or (self.key_heads,) * self.blocks):
            key = key_heads * self.head
            shapes = (
                (attention, self.hidden),
                (key, self.hidden),
                (key, self.hidden),
                (self.hidden, attention),
                (self.intermediate, self.hidden),
                (self.intermediate, self.hidden),
                (self.hidden, self.intermediate),
            )
            found |= {f"{prefix}.{block}.{name}": shape for name, shape in zip(names, shapes, strict=True)}
        return found
