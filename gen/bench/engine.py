"""Bench of a whole engine as built, with its network in block RAM."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gen.bench.measure import Bench, Progress, check_seeds, measure
from gen.plan.devices import check_array
from gen.plan.plan import Plan
from gen.tools import Part
from rtl.engine.engine import Engine
from rtl.limits import check_range


class FlatEngine(wiring.Component):
    """An engine with its streams as two words of bits.

    Parameters
    ----------
    engine
        The engine; its load port is left out if it has none in hardware.

    Members
    -------
    i
        In, unsigned: what the engine takes, `i` first, then `o.ready`, then `load`.
    o
        Out, unsigned: what it gives, a register for each bit.

    """

    i: Value
    o: Value

    def __init__(self, engine: Engine):
        self.engine = engine
        taken = [engine.i.valid, engine.i.payload, engine.o.ready]
        given = [engine.i.ready, engine.o.valid, engine.o.payload]
        if engine.config.writable:
            taken += [engine.load.valid, engine.load.payload]
            given.append(engine.load.ready)
        self._taken, self._given = (Cat(Value.cast(value) for value in values) for values in (taken, given))
        super().__init__({"i": In(len(self._taken)), "o": Out(len(self._given))})

    def elaborate(self, platform) -> Module:
        """Wires in, registers out."""
        m = Module()
        m.submodules.engine = self.engine
        m.d.comb += self._taken.eq(self.i)
        m.d.sync += self.o.eq(self._given)
        return m


@dataclass(frozen=True)
class EngineBench:
    """An engine's figures.

    Parameters
    ----------
    bench
        Size and speed.
    plan
        The network on the engine; its cycles.

    """

    bench: Bench
    plan: Plan

    @property
    def rule(self) -> str:
        """How everything was counted."""
        memory = "with a load port" if self.plan.config.writable else "as ROMs"
        return (
            f"{self.bench.rule}; memories are built {memory}; a MAC is one weight of a cycle; GMAC/s counts all "
            "rows x columns, of which the array's utilisation is the useful part"
        )

    @property
    def images_per_s(self) -> float:
        """Vectors a second at the highest clock, one after another."""
        return self.bench.fmax_mhz * 1e6 / self.plan.cycles.period

    @property
    def timing_met(self) -> bool:
        """Whether the median placement reaches the clock aimed at."""
        return self.bench.fmax_mhz >= self.bench.part.mhz

    def figures(self) -> dict[str, object]:
        """Everything, for a JSON file."""
        cycles = self.plan.cycles
        return {
            **self.bench.figures(),
            "target_mhz": self.bench.part.mhz,
            "timing_met": self.timing_met,
            "trits": self.plan.network.trits,
            "cycles_period": cycles.period,
            "cycles_latency": cycles.latency,
            "utilisation": cycles.utilisation,
            "images_per_s": self.images_per_s,
            "rule": self.rule,
        }


def bench_engine(part: Part, plan: Plan, *, mhz: int, seeds: int, progress: Progress = lambda _: None) -> EngineBench:
    """Measure an engine whose memories hold its network.

    Parameters
    ----------
    part
        The device.
    plan
        The engine and its network; if it is not writable, its memories are ROMs.
    mhz
        The clock that placement aims at, 1 to 1000.
    seeds
        How many placements, at least 1.
    progress
        Called with 1 after each of the `gen.bench.measure.steps`.

    """
    check_seeds(seeds)
    check_range("bench", "mhz", mhz, 1, 1000)
    config = plan.config
    check_array(config.array, part.family)
    parameters: dict[str, object] = {
        "model": plan.network.name,
        "fold": str(plan.fold),
        "array": config.array,
        "packing": config.packing,
        "rows": config.rows,
        "columns": config.columns,
        "lanes": config.lanes,
        "accumulator_bits": config.accumulator_width,
        "load_port": config.writable,
        "weight_memory_bits": sum(config.transfers["weights"]),
    }
    bench = measure(
        "engine",
        part._replace(mhz=mhz),
        FlatEngine(plan.engine()),
        parameters,
        units={"mac": config.rows * config.columns},
        counted="the whole engine",
        seeds=seeds,
        progress=progress,
    )
    return EngineBench(bench, plan)
