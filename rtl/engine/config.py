"""The configuration of an engine: from a few numbers, every width and depth of its parts."""

from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Shape, signed, unsigned

from golden.errors import TritweaveError
from golden.formats import (
    ACTIVATION_MAX,
    LOAD_WIDTH,
    NORMS,
    PACKINGS,
    SCALES,
    Correction,
    program_fields,
)
from rtl.array import EXACT_ARRAYS
from rtl.array.ecp5 import Ecp5Array
from rtl.array.ice40 import Ice40Array
from rtl.array.interface import ArrayConfig, MacArray
from rtl.array.portable import PortableArray
from rtl.engine.drain import Drain, DrainConfig
from rtl.engine.norm_config import NormConfig, Norming
from rtl.engine.scaling import Scaling
from rtl.limits import check_multiple, check_range
from rtl.memory.activation_buffer import ActivationBuffer, BufferConfig
from rtl.quantiser.config import DIVIDERS, QuantizerConfig

ARRAYS: dict[str, type[MacArray]] = {
    "portable": PortableArray,
    "ecp5": Ecp5Array,
    "ice40": Ice40Array,
    **EXACT_ARRAYS,
}
"""The implementations of the array."""


@dataclass(frozen=True)
class EngineConfig:
    """What an engine is built for; any network within these limits runs on it.

    Parameters
    ----------
    rows
        R, outputs a tile, 1 to 1024.
    columns
        C, inputs a chunk, 1 to 1024.
    lanes
        Values a cycle of input, drain, quantiser and output; divides `rows` and `columns`.
    max_inputs, max_hidden, max_outputs
        Longest input vector of a network, vector between two of its layers (1 if there is none), and output vector,
        1 to 65536. The first two set the accumulators' width.
    layers, weight_words, correction_words
        Depths of the memories that hold the image.
    packing
        How weights are stored, one of `golden.formats.PACKINGS`.
    array
        Implementation of the array, one of `ARRAYS`.
    vectors
        Vectors in flight, 1 or 2: with 2, one's layers run while the other's activations are quantised.
    divider
        Implementation of the quantiser's divider, one of `rtl.quantiser.config.DIVIDERS`.
    spram
        Whether weights lie in the SPRAM of an iCE40 UP5K instead of block RAM; they then have to be loaded.
    scaling
        The scale step, for networks of `golden.schemes.network`; without one, networks of one scale a layer run.
    norming
        Norms in front of all layers, in an engine without scale step; None: there are none.
    addends
        The largest magnitude that a correction adds to a sum beside what the array leaves out, 0 to 65535.
    input_signed
        Whether inputs are int8 (True) or uint8 (False).
    writable
        Whether the image can be loaded; if not, the memories are ROMs.

    """

    rows: int
    columns: int
    lanes: int
    max_inputs: int
    max_hidden: int
    max_outputs: int
    layers: int
    weight_words: int
    correction_words: int
    packing: str = "2b"
    array: str = "portable"
    vectors: int = 2
    divider: str = "restoring"
    spram: bool = False
    scaling: Scaling | None = None
    norming: Norming | None = None
    addends: int = 0
    input_signed: bool = False
    writable: bool = True

    def __post_init__(self) -> None:
        choices = (
            ("packing", self.packing, PACKINGS),
            ("array", self.array, ARRAYS),
            ("divider", self.divider, DIVIDERS),
        )
        for name, value, known in choices:
            if value not in known:
                raise TritweaveError(f"engine: {name} is {value!r}; it is one of {', '.join(known)}")
        check_range("engine", "rows", self.rows, 1, 1024)
        check_range("engine", "columns", self.columns, 1, 1024)
        check_range("engine", "lanes", self.lanes, 1, min(self.rows, self.columns))
        check_multiple("engine", "rows", self.rows, "lanes", self.lanes)
        check_multiple("engine", "columns", self.columns, "lanes", self.lanes)
        check_range("engine", "vectors", self.vectors, 1, 2)
        if self.spram and not self.writable:
            raise TritweaveError("engine: spram is True and writable False; SPRAM holds only what is loaded")
        if self.norming and self.scaling:
            raise TritweaveError("engine: norming and scaling; an engine has norms, or layers of several scales")
        check_range("engine", "addends", self.addends, 0, 65535)
        for name in ("max_inputs", "max_hidden", "max_outputs"):
            check_range("engine", name, getattr(self, name), 1, 65536)
        check_range("engine", "layers", self.layers, 1, 1024)
        for name in ("weight_words", "correction_words"):
            check_range("engine", name, getattr(self, name), 1, 1 << 24)

    @property
    def array_config(self) -> ArrayConfig:
        """The array."""
        longest = self.scaling.longest if self.scaling else max(self.max_inputs, self.max_hidden)
        return ArrayConfig(self.rows, self.columns, longest + -(-self.addends // ACTIVATION_MAX))

    @property
    def chunk_latency(self) -> int:
        """Cycles from a chunk's start to its arrival at the array: its activations' way; its weights wait for them."""
        return ActivationBuffer.LATENCY

    @property
    def array_latency(self) -> int:
        """Cycles from a tile's last chunk at the array to its sums."""
        return ARRAYS[self.array].latency(self.array_config)

    @property
    def drain_latency(self) -> int:
        """Cycles from the start of a tile's last chunk to the drain's hearing of it."""
        return self.chunk_latency + self.array_latency - Drain.LEAD

    @property
    def tile_latency(self) -> int:
        """Cycles from the start of a tile's last chunk to its first results, behind the drain and the scale step."""
        return self.drain_latency + Drain.LATENCY + (self.scaling.latency if self.scaling else 0)

    @property
    def correction(self) -> Correction:
        """What the array's sums lack."""
        return ARRAYS[self.array].correction

    @property
    def accumulator_width(self) -> int:
        """Bits of an accumulator of the array."""
        return self.array_config.accumulator_width

    @property
    def result_width(self) -> int:
        """Bits of a result."""
        return self.scaling.result_bits if self.scaling else self.accumulator_width

    @property
    def drain(self) -> DrainConfig:
        """The drain."""
        scaling = self.scaling
        groups, factors = (scaling.groups, scaling.factors) if scaling else (0, False)
        return DrainConfig(self.rows, self.lanes, self.accumulator_width, groups, factors)

    @property
    def scales(self) -> str:
        """What stands beside the corrections, one of `golden.formats.SCALES`."""
        if self.norming:
            return SCALES[3]
        return SCALES[(1 + self.scaling.factors) if self.scaling else 0]

    @property
    def element(self) -> Shape:
        """An input value."""
        return signed(8) if self.input_signed else unsigned(8)

    @property
    def input_words(self) -> int:
        """Stream words of the longest input."""
        return -(-self.max_inputs // self.lanes)

    @property
    def quantizer(self) -> QuantizerConfig:
        """The quantiser, with a channel for the layers of each vector in flight and one for inputs."""
        width, depths = self._entering
        if not self.scaling:
            width = self.norming.result_bits if self.norming else width
            return QuantizerConfig(self.lanes, width, depths, divider=self.divider)
        groups = self.scaling.groups if self.scaling.factors else 1
        return QuantizerConfig(self.lanes, width, depths, self.scaling.rule, groups, self.divider)

    @property
    def norm(self) -> NormConfig | None:
        """The norms in front of it, with the same channels."""
        width, depths = self._entering
        longest = max(self.max_inputs, self.max_hidden)
        return NormConfig(self.lanes, width, depths, longest, self.norming) if self.norming else None

    @property
    def _entering(self) -> tuple[int, tuple[int, ...]]:
        """Bits of a value on its way to the quantiser, and the longest vectors of its channels, in words."""
        hidden_words = -(-self.max_hidden // self.lanes)
        # Nine bits hold the magnitude of every input, 255 and -128 included.
        return max(self.result_width, 9), (*[hidden_words] * self.vectors, self.input_words)

    @property
    def buffer(self) -> BufferConfig:
        """The activation buffer, with two regions for each vector in flight: results of its layers, and inputs."""
        depths = [-(-longest // self.columns) for longest in (self.max_hidden, self.max_inputs)]
        return BufferConfig(self.columns, self.lanes, (*depths[:1] * self.vectors, *depths[1:] * self.vectors))

    @property
    def result_words(self) -> int:
        """Stream words of the longest result."""
        return -(-self.max_outputs // self.lanes)

    @cached_property
    def transfers(self) -> dict[str, tuple[int, ...]]:
        """For each memory, the bits that its words keep of each 32-bit transfer of the image."""
        weight_bits = PACKINGS[self.packing].word_bits(self.rows * self.columns)
        whole, rest = divmod(weight_bits, LOAD_WIDTH)
        fields = program_fields(self.scales)
        scales: tuple[int, ...] = ()
        if self.scaling:
            scales = (self.scaling.mantissa_bits,) * self.lanes + ((2,) if self.scaling.factors else ())
        return {
            "program": (LOAD_WIDTH,) * (sum(fields.values()) // LOAD_WIDTH),
            "corrections": (self.accumulator_width,) * self.lanes + scales,
            "weights": (LOAD_WIDTH,) * whole + ((rest,) if rest else ()),
        } | ({NORMS: (LOAD_WIDTH,) * self.lanes} if self.norming else {})

    @property
    def depths(self) -> dict[str, int]:
        """For each memory, its words."""
        depths = {"program": self.layers, "corrections": self.correction_words, "weights": self.weight_words}
        return depths | ({NORMS: self.norming.words} if self.norming else {})

    @property
    def memories(self) -> dict[str, tuple[int, int]]:
        """For each memory, its words and the transfers of a word."""
        return {name: (depth, len(self.transfers[name])) for name, depth in self.depths.items()}
