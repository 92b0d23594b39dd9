"""What the units of a request's payload are, and whether they are what the request must have."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import LOAD_WIDTH, MEMORIES
from golden.link.format import Command
from rtl.link.config import LinkConfig
from rtl.link.held_image import STATE

_PLACE = data.StructLayout({"memory": 8, "address": 24})


class RequestParser(wiring.Component):
    """Follows a reading of a ``begin``, ``load``, ``finish`` or ``run``, see `golden.link.format`.

    Parameters
    ----------
    config
        The size.

    Members
    -------
    start
        In, 1: a reading begins with the next cycle.
    command
        In, 8.
    state, last_input
        In: of the `HeldImage`.
    unit, taken
        In: a unit of the payload, and whether it passes in this cycle.
    in_body
        Out, 1: the unit is a word's transfer, or a stream word.
    memory, address, is_first, is_last
        Out: where it is loaded, behind the last one the address that would follow; whether it is the image's first
        transfer; whether it is its word's or the vector's last one.
    named
        Out, 1: the request is for what the device holds.
    whole
        Out, 1: the units so far are whole words, or the vector.
    fits
        Out, 1: the memory has room for them.

    `named`, `whole` and `fits` are right when all units have passed.

    """

    start: Signal
    command: Signal
    state: data.View
    last_input: Signal
    unit: Signal
    taken: Signal
    in_body: Signal
    memory: Signal
    address: Signal
    is_first: Signal
    is_last: Signal
    named: Signal
    whole: Signal
    fits: Signal

    def __init__(self, config: LinkConfig):
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "command": In(8),
                "state": In(STATE),
                "last_input": In(16),
                "unit": In(LOAD_WIDTH),
                "taken": In(1),
                "in_body": Out(1),
                "memory": Out(range(len(MEMORIES))),
                "address": Out(range(max(config.engine.depths.values()) + config.request)),
                "is_first": Out(1),
                "is_last": Out(1),
                "named": Out(1),
                "whole": Out(1),
                "fits": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        """The first unit is a sum, the second one of some commands a place, all others are the body."""
        m = Module()
        state, unit = self.state, self.unit
        place = data.View(_PLACE, unit)
        is_run, is_load = self.command == Command.RUN, self.command == Command.LOAD
        at_sum, at_place, index = Signal(init=1), Signal(), Signal(range(self.config.request))
        m.d.comb += self.in_body.eq(~at_sum & ~at_place)
        with m.If(self.taken):
            m.d.sync += [at_sum.eq(0), at_place.eq(at_sum & ~is_run)]
            with m.If(at_sum):
                # There is nothing to run before an image is finished, and nothing to load from then on.
                m.d.sync += self.named.eq((unit == state.sum) & ~(is_run & ~state.loaded) & ~(is_load & state.loaded))
            with m.Elif(at_place):
                exists = (place.memory < len(MEMORIES)) & (place.address >> len(self.address) == 0)
                with m.If(~Mux(is_load, exists, unit == state.loads)):
                    m.d.sync += self.named.eq(0)
                m.d.sync += [self.memory.eq(place.memory), self.address.eq(place.address)]
            with m.Else():
                m.d.sync += [index.eq(index + 1), self.whole.eq(self.is_last)]
                with m.If(self.is_last & ~is_run):
                    m.d.sync += [index.eq(0), self.address.eq(self.address + 1)]
        with m.If(self.start):
            m.d.sync += [at_sum.eq(1), at_place.eq(0), index.eq(0), self.named.eq(0), self.whole.eq(0)]
        self._measure(m, index, is_run)
        return m

    def _measure(self, m: Module, index: Signal, is_run: Value) -> None:
        """Compare with what the memories, or the vector, have."""
        engine = self.config.engine
        last, depth = Signal(16), Signal.like(self.address)
        with m.Switch(self.memory):
            for number, name in enumerate(MEMORIES):
                with m.Case(number):
                    m.d.comb += [last.eq(len(engine.transfers[name]) - 1), depth.eq(engine.depths[name])]
        with m.If(is_run):
            m.d.comb += last.eq(self.last_input)
        m.d.comb += [
            self.is_first.eq((self.memory == 0) & (self.address == 0) & (index == 0)),
            self.is_last.eq(index == last),
            self.fits.eq(self.address <= depth),
        ]
