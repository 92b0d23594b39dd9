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

    """

    blocks: int
    hidden: int
    intermediate: int
    heads: int
    key_heads: int
    head: int

    @classmethod
    def read(cls, path: Path, numbers: Mapping[str, Any], keys: tuple[str, ...]) -> "Decoder":
        """Take the sizes from `numbers`, whose keys are in the order of the parameters.

        Without a number of key heads, every head has keys; without a head's length, the heads share `hidden`.
        """
        values: list[Any] = [numbers.get(key) for key in keys]
        if values[4] is None:
            values[4] = values[3]
        for key, value in zip(keys[:5], values[:5], strict=True):
            if type(value) is not int or not 1 <= value < 1 << 32:
                raise TritweaveError(f"{path}: {key} is {value}; it must be a positive whole number")
        blocks, hidden, intermediate, heads, key_heads, head = values
        if head is None:
            head = hidden // heads
        if type(head) is not int or not 1 <= head < 1 << 32 or blocks > 4096:
            raise TritweaveError(f"{path}: {keys[5]} is {head} and {keys[0]} is {blocks}; 1 to 4096 blocks are read")
        return cls(blocks, hidden, intermediate, heads, key_heads, head)

    def layers(self, prefix: str, names: tuple[str, str, str, str, str, str, str]) -> dict[str, tuple[int, int]]:
        """Outputs and inputs by name, in the order in which they compute.

        `names` are those of query, key, value, output, gate, up and down.
        """
        attention, key = self.heads * self.head, self.key_heads * self.head
        shapes = (
            (attention, self.hidden),
            (key, self.hidden),
            (key, self.hidden),
            (self.hidden, attention),
            (self.intermediate, self.hidden),
            (self.intermediate, self.hidden),
            (self.hidden, self.intermediate),
        )
        return {
            f"{prefix}.{block}.{name}": shape
            for block in range(self.blocks)
            for name, shape in zip(names, shapes, strict=True)
        }
