"""The configuration of the activation quantiser: its rule, its latencies, and what passes through it."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import ShapeLike, signed
from amaranth.lib import data

from golden.errors import TritweaveError
from golden.formats import GROUPED, RULES
from rtl.layouts import ACTIVATION, indices, levels
from rtl.limits import check_range
from rtl.quantiser.divider import RoundingDivider
from rtl.quantiser.multiplying import MultiplyingDivider
from rtl.quantiser.restoring import RestoringDivider

DIVIDERS: dict[str, type[RoundingDivider]] = {"restoring": RestoringDivider, "multiplying": MultiplyingDivider}
"""The implementations of the divider."""


@dataclass(frozen=True)
class QuantizerConfig:
    """Size of a quantiser.

    Parameters
    ----------
    lanes
        Values a cycle, 1 to 1024.
    width
        Bits of a signed input value, 2 to 63; -2**(width-1) never occurs.
    depths
        The longest vector of each channel, in words of `lanes` values, 1 to 65536; 1 to 16 channels.
    rule
        One of `golden.formats.RULES`; with ``binary``, vectors of the last channel are inputs, int8 from -127 on.
    groups
        With groups, the most of a vector, 1 to 256; otherwise 1.
    divider
        One of `DIVIDERS`; ``multiplying``, for devices with multipliers, does not know groups, and takes values of 9 to
        33 bits.

    """

    lanes: int
    width: int
    depths: tuple[int, ...]
    rule: str = "int8"
    groups: int = 1
    divider: str = "restoring"

    REOPENING: ClassVar[int] = 2
    """Cycles from a vector's handover to the first in which a word of its channel's next one can enter."""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise TritweaveError(f"quantiser: rule is {self.rule!r}; it is one of {', '.join(RULES)}")
        if self.divider not in DIVIDERS:
            raise TritweaveError(f"quantiser: divider is {self.divider!r}; it is one of {', '.join(DIVIDERS)}")
        if self.divider == "multiplying" and self.grouped:
            raise TritweaveError(f"quantiser: rule {self.rule} and divider multiplying; groups need the restoring one")
        check_range("quantiser", "groups", self.groups, 1, 256 if self.grouped else 1)
        check_range("quantiser", "lanes", self.lanes, 1, 1024)
        check_range("quantiser", "width", self.width, 2, 63)
        check_range("quantiser", "number of channels", len(self.depths), 1, 16)
        for depth in self.depths:
            check_range("quantiser", "depth", depth, 1, 65536)

    @property
    def grouped(self) -> bool:
        """Whether groups of a vector are quantised apart."""
        return self.rule in GROUPED

    @property
    def int4(self) -> bool:
        """Whether some of them become int4, and words say whether theirs does."""
        return self.rule == "int4-groups"

    @property
    def divided(self) -> bool:
        """Whether values are divided by a largest magnitude."""
        return self.rule not in ("sign", "binary")

    @property
    def tree_latency(self) -> int:
        """Cycles to find the largest magnitude of a word; two at least, in which a first word reaches the memory."""
        return max(levels(self.lanes) if self.divided else 0, 2)

    @property
    def division_latency(self) -> int:
        """Cycles from a word that comes out of the memory to its quotients."""
        return DIVIDERS[self.divider].latency(self.width - 1) if self.divided else 0

    @property
    def preparation_latency(self) -> int:
        """Cycles from a vector's choice to its divisor."""
        return DIVIDERS[self.divider].preparation_latency(self.width - 1) if self.divided else 0

    @property
    def choice_latency(self) -> int:
        """Cycles from the transfer of a vector's last word to the first in which it can be chosen to leave."""
        return 1 + self.tree_latency

    @property
    def handover_latency(self) -> int:
        """Cycles from the transfer of a vector's last word to the soonest handover to the way out."""
        return self.choice_latency + 1 + self.preparation_latency

    @property
    def output_latency(self) -> int:
        """Cycles from a vector's handover to its first quantised word: the memory and its output register first."""
        return 2 + self.division_latency

    @property
    def latency(self) -> int:
        """Cycles from the transfer of a vector's last word to its first quantised word, when nothing is in the way."""
        return self.handover_latency + self.output_latency

    @property
    def channel(self) -> range:
        """Shape of a channel's number."""
        return indices(len(self.depths))

    @property
    def address(self) -> range:
        """Shape of an address in the memory, where the channels' vectors lie one behind the other."""
        return indices(sum(self.depths))

    @property
    def places(self) -> data.ArrayLayout:
        """Shape of an address for each channel."""
        return data.ArrayLayout(self.address, len(self.depths))

    @property
    def flags(self) -> data.StructLayout:
        """What is known of a word on its way out: whether there is one, its place in its vector, and whose that is."""
        return data.StructLayout({"valid": 1, "first": 1, "last": 1, "channel": self.channel})

    @property
    def bases(self) -> tuple[int, ...]:
        """For each channel, the address of its vector's first word."""
        return tuple(sum(self.depths[:channel]) for channel in range(len(self.depths)))

    @property
    def input_word(self) -> data.StructLayout:
        """Payload of `i`: signed `width` bits in `words`.

        With groups, one field more: ``group_last``, 1 on the final word of a group, which a vector's final word is; and
        with ``int4-groups`` ``wide``, 1 for words of a group that becomes int8, 0 for int4.
        """
        return data.StructLayout(self.words(signed(self.width)).members | self._group_fields)

    @property
    def _group_fields(self) -> dict[str, ShapeLike]:
        return ({"group_last": 1} if self.grouped else {}) | ({"wide": 1} if self.int4 else {})

    @property
    def stored_word(self) -> data.StructLayout:
        """What is kept of a word in the memory."""
        fields: dict[str, ShapeLike] = {"signs": self.lanes}
        if self.rule == "binary":
            fields = {"values": data.ArrayLayout(ACTIVATION, self.lanes)}
        if self.divided:
            fields = {"magnitudes": data.ArrayLayout(self.width - 1, self.lanes)} | fields
        return data.StructLayout(fields | self._group_fields)

    @property
    def output_word(self) -> data.StructLayout:
        """Payload of `o`: signed eight bits in `words`."""
        return self.words(ACTIVATION)

    def words(self, shape: ShapeLike) -> data.StructLayout:
        """Payload of a stream: `lanes` values, ``last`` on a vector's final word, and the vector's channel."""
        values = data.ArrayLayout(shape, self.lanes)
        return data.StructLayout({"data": values, "last": 1, "channel": self.channel})
