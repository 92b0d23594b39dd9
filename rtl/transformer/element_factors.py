"""What the element lanes multiply by: the norms' gains, and the angles of rotations."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import LOAD_WIDTH
from rtl.constant_products import times
from rtl.layouts import indices
from rtl.memory.loadable import LoadableMemory
from rtl.pipeline import registered
from rtl.transformer.config import DecoderConfig


class ElementFactors(wiring.Component):
    """Two memories, of which one is read in order, the other by a token's position.

    Parameters
    ----------
    config
        The decoder.
    gains
        Words of L gains of `LanguageFormat.gain_bits` + 1 bits, in the order of their use; at most `gain_words`.
    rotations
        Words of L pairs of cosine and sine of `LanguageFormat.rotation_bits` + 2 bits, half a head's for each
        position; at most `rotation_words`.
    writable
        Whether the two can be loaded; otherwise they are ROMs.

    Members
    -------
    rewind
        In, 1: from the next cycle on, gains are taken from the first word on.
    takes
        In, 1: the next word of gains is taken.
    position, word
        In: of a token, steady; of half a head.
    gains, rotations
        Out, ArrayLayouts: the words of gains and of angles, `LATENCY` cycles later.
    load_gains, load_rotations, load_address, load_data, load_last
        In: a transfer to one of the two memories, as in `LoadableMemory`.

    """

    LATENCY = LoadableMemory.LATENCY

    rewind: Signal
    takes: Signal
    position: Signal
    word: Signal
    gains: data.View
    rotations: data.View
    load_gains: Signal
    load_rotations: Signal
    load_address: Signal
    load_data: Signal
    load_last: Signal

    def __init__(self, config: DecoderConfig, gains: list[int], rotations: list[int], *, writable: bool = True):
        self.config, self.init, self.writable = config, {"gains": gains, "rotations": rotations}, writable
        self._half = config.words(config.shape.head // 2)
        super().__init__(
            {
                "rewind": In(1),
                "takes": In(1),
                "position": In(config.position),
                "word": In(indices(self._half)),
                "gains": Out(data.ArrayLayout(signed(config.form.gain_bits + 1), config.lanes)),
                "rotations": Out(data.ArrayLayout(self.rotation_layout(config), config.lanes)),
                "load_gains": In(1),
                "load_rotations": In(1),
                "load_address": In(indices(max(self.gain_words(config), self.rotation_words(config)))),
                "load_data": In(LOAD_WIDTH),
                "load_last": In(1),
            }
        )

    @staticmethod
    def rotation_layout(config: DecoderConfig) -> data.StructLayout:
        """Shape of an angle, in units of ``2**-rotation_bits``."""
        wave = signed(config.form.rotation_bits + 2)
        return data.StructLayout({"cosine": wave, "sine": wave})

    @staticmethod
    def gain_words(config: DecoderConfig) -> int:
        """Words of all gains: three vectors of the residual's length and one inside the feed-forward network a block,
        and the last norm's.
        """
        hidden, intermediate = (config.words(length) for length in (config.shape.hidden, config.shape.intermediate))
        return config.shape.blocks * (3 * hidden + intermediate) + hidden

    @staticmethod
    def rotation_words(config: DecoderConfig) -> int:
        """Words of the angles of all positions."""
        return config.shape.context * config.words(config.shape.head // 2)

    def elaborate(self, platform) -> Module:
        """The two memories and their addresses."""
        m = Module()
        gain = self._memory(m, "gains", self.gain_words(self.config))
        with m.If(self.rewind):
            m.d.sync += gain.eq(0)
        with m.Elif(self.takes):
            m.d.sync += gain.eq(gain + 1)
        rotation = self._memory(m, "rotations", self.rotation_words(self.config))
        m.d.comb += rotation.eq(registered(m, times(self.position, self._half), "first_rotation") + self.word)
        return m

    def _memory(self, m: Module, name: str, depth: int) -> Signal:
        """A memory of words of factors, with the port of that name; its address."""
        factors, address = getattr(self, name), Signal(indices(depth), name=f"{name}_address")
        bits = len(factors.as_value())
        transfers = tuple(min(LOAD_WIDTH, bits - at) for at in range(0, bits, LOAD_WIDTH))
        memory = LoadableMemory(transfers, depth, self.init[name], writable=self.writable)
        m.submodules[name] = memory
        m.d.comb += [
            memory.address.eq(address),
            factors.eq(factors.shape()(memory.data)),
            memory.load_address.eq(self.load_address),
            memory.load_data.eq(self.load_data),
            memory.load_last.eq(self.load_last),
            memory.load_valid.eq(getattr(self, f"load_{name}")),
        ]
        return address
