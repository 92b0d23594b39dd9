"""The register harness around a component that is measured alone."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.array.interface import ArrayConfig
from rtl.array.trit_decoder import TritDecoder
from rtl.engine.config import ARRAYS


class PackedArray(wiring.Component):
    """An array behind the decoder of its packed weights, as in the engine.

    Parameters
    ----------
    config
        The array's size.
    packing
        How weights are stored.
    array
        The implementation, one of `rtl.engine.config.ARRAYS`.

    Members
    -------
    i
        In, unsigned: control, activations and the packed weights, lowest bits first.
    o
        Out, unsigned: ``done`` and the sums.

    Latency: the array's.

    """

    i: Value
    o: Value

    def __init__(self, config: ArrayConfig, packing: str, array: str):
        self.array = ARRAYS[array](config)
        self.decoder = TritDecoder(packing, config.rows * config.columns)
        super().__init__(
            {
                "i": In(3 + 8 * config.columns + len(self.decoder.i)),
                "o": Out(1 + config.rows * config.accumulator_width),
            }
        )

    def elaborate(self, platform) -> Module:
        """Wires."""
        m = Module()
        m.submodules.decoder, m.submodules.array = decoder, array = self.decoder, self.array
        control = Cat(array.valid, array.first, array.last)
        m.d.comb += [
            Cat(control, Value.cast(array.activations), decoder.i).eq(self.i),
            Value.cast(array.weights).eq(Value.cast(decoder.o)),
            self.o.eq(Cat(array.done, Value.cast(array.sums))),
        ]
        return m


class RegisteredDecoder(wiring.Component):
    """A decoder and a register for what it puts out; ports as those of `TritDecoder`, ``o`` unsigned. Latency 1."""

    i: Value
    o: Value

    def __init__(self, packing: str, trits: int):
        self.decoder = TritDecoder(packing, trits)
        super().__init__({"i": In(len(self.decoder.i)), "o": Out(2 * trits)})

    def elaborate(self, platform) -> Module:
        """The register."""
        m = Module()
        m.submodules.decoder = decoder = self.decoder
        m.d.comb += decoder.i.eq(self.i)
        m.d.sync += self.o.eq(Value.cast(decoder.o))
        return m


class Harness(wiring.Component):
    """Registers around a component with ports ``i`` and ``o``, few pins, and no path longer than one LUT4 of its own.

    A shift register feeds every input bit; synthesis knows nothing of its contents. Every output bit, a register of
    the component, is folded into a chain, one exclusive or and one register a bit.

    Parameters
    ----------
    core
        The component, or None for the harness alone: every output bit is then an input bit.
    inputs, outputs
        Bits of ``i`` and of ``o``.

    Members
    -------
    i
        In, 1: into the shift register.
    o
        Out, 1: end of the chain.

    """

    i: Signal
    o: Signal

    def __init__(self, core: wiring.Component | None, inputs: int, outputs: int):
        self.core, self.inputs, self.outputs = core, inputs, outputs
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform) -> Module:
        """Shift register, component, chain."""
        m = Module()
        # As long as either side needs, so that the harness alone has an input bit for every output bit.
        shift = Signal(max(self.inputs, self.outputs), reset_less=True)
        fold = Signal(self.outputs, reset_less=True)
        m.d.sync += shift.eq(Cat(self.i, shift))
        m.d.comb += self.o.eq(fold[-1])
        seen: Value = shift
        if self.core is not None:
            m.submodules.core = core = self.core
            m.d.comb += core.i.eq(shift)
            seen = core.o
        m.d.sync += fold.eq(seen ^ Cat(shift[-1], fold))
        return m
