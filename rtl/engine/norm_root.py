"""The root of a vector's variance, bit by bit."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.engine.norm_config import NormConfig
from rtl.layouts import indices


class NormRoot(wiring.Component):
    """``max(floor(√(n·Q - S²)), 1)``: both products at a time, a bit a cycle, then a restoring root.

    Parameters
    ----------
    config
        The widths.

    Members
    -------
    start
        In, 1: take the others; not before `done` of the one before.
    elements, total, squares
        In: n, S, signed, and Q.
    done
        Out, 1: `NormConfig.root_latency` cycles after `start`, for one cycle.
    root
        Out: valid from `done` until the next `start`.

    """

    start: Signal
    elements: Signal
    total: Signal
    squares: Signal
    done: Signal
    root: Signal

    def __init__(self, config: NormConfig):
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "elements": In(config.elements.bit_length()),
                "total": In(signed(config.sum_bits)),
                "squares": In(config.square_bits),
                "done": Out(1),
                "root": Out(config.root_bits),
            }
        )

    def elaborate(self, platform) -> Module:
        """Two shift-and-add products in one sum, then the root out of it."""
        m = Module()
        config = self.config
        steps, width = config.root_latency - config.root_bits - 1, 2 * config.root_bits
        step = Signal(indices(config.root_latency + 1))
        elements, magnitude = Signal(steps, reset_less=True), Signal(steps, reset_less=True)
        squares = Signal(width + 1, reset_less=True)
        product = Signal(width + 1, reset_less=True)
        variance = Signal(signed(width + 2), reset_less=True)
        remainder, root = Signal(config.root_bits + 2, reset_less=True), Signal(config.root_bits, reset_less=True)
        with m.If(self.start):
            m.d.sync += [
                step.eq(1),
                elements.eq(self.elements),
                magnitude.eq(Mux(self.total[-1], -self.total, self.total)),
                squares.eq(self.squares),
                product.eq(Mux(self.total[-1], -self.total, self.total)),
                variance.eq(0),
                remainder.eq(0),
                root.eq(0),
            ]
        with m.Elif(step != 0):
            m.d.sync += step.eq(Mux(self.done, 0, step + 1))
        with m.If((step != 0) & (step <= steps)):
            m.d.sync += [
                variance.eq(variance + Mux(elements[0], squares, 0) - Mux(magnitude[0], product, 0)),
                elements.eq(elements >> 1),
                magnitude.eq(magnitude >> 1),
                squares.eq(squares << 1),
                product.eq(product << 1),
            ]
        shifted, trial = Signal(config.root_bits + 4), Signal(config.root_bits + 4)
        fits = shifted >= trial
        m.d.comb += [
            shifted.eq(Cat(variance[width - 2 : width], remainder)),
            trial.eq(Cat(1, 0, root)),
            self.done.eq(step == config.root_latency),
            self.root.eq(Mux(root == 0, 1, root)),
        ]
        with m.If((step > steps) & ~self.done):
            m.d.sync += [
                remainder.eq(Mux(fits, shifted - trial, shifted)),
                root.eq(Cat(fits, root)),
                variance.eq(variance << 2),
            ]
        return m
