"""Components in Amaranth's simulator: streams fed and drained with pauses on either side, or signals cycle by cycle."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import reduce
from itertools import count
from random import Random
from typing import Any, NamedTuple

from amaranth.hdl import ClockDomain, Module
from amaranth.lib import data, stream, wiring
from amaranth.sim import Simulator

Pauses = Callable[[int], bool]
"""Says of a cycle whether one side of a stream pauses in it."""

Driver = Generator[Mapping[str, Any], dict[str, Any], None]
"""Yields what to set in each cycle, by name, and is sent what was watched in it; what it leaves out stays."""


def steps(inputs: Iterable[Mapping[str, Any]]) -> Driver:
    """A driver that pays no heed to what it sees."""
    for step in inputs:
        _ = yield step


class Transfer(NamedTuple):
    """A transfer on a stream and its cycle; structs are dictionaries, arrays are lists."""

    cycle: int
    payload: Any


def never(cycle: int) -> bool:
    """No pauses."""
    return False


def seeded(seed: int, share: float) -> Pauses:
    """Pauses in about a share of the cycles; equal seeds give equal pauses."""
    random = Random(seed)
    pattern = [random.random() < share for _ in range(1009)]
    return lambda cycle: pattern[cycle % len(pattern)]


class Bench:
    """One component in the domain ``sync``, and whatever feeds, drains and watches it.

    Parameters
    ----------
    component
        What is simulated.
    limit
        Cycles after which a run that has not ended fails.
    reset
        Cycle in which the reset is active, if any; every stream starts anew after it.

    """

    def __init__(self, component: wiring.Component, *, limit: int = 20_000, reset: int = -1):
        self.component, self.limit, self.reset = component, limit, reset
        m = Module()
        m.domains.sync = domain = ClockDomain()
        m.submodules.component = component
        self._simulator = Simulator(m)
        self._simulator.add_clock(1e-6)
        self._attach(domain, steps({"rst": cycle == reset} for cycle in range(reset + 2)), ())

    def send(self, port: stream.Interface, payloads: Sequence[Any], pauses: Pauses = never) -> list[Transfer]:
        """Offer payloads; the list of transfers fills while the simulation runs."""
        done: list[Transfer] = []

        def feed() -> Driver:
            offered = False
            for cycle in count():
                if len(done) == len(payloads) and cycle > self.reset:
                    break
                if not offered and len(done) < len(payloads):
                    offered = not pauses(cycle)
                seen = yield {"valid": offered} | ({"payload": payloads[len(done)]} if offered else {})
                if offered and seen["ready"]:
                    done.append(Transfer(cycle, payloads[len(done)]))
                    offered = False
                if cycle == self.reset:
                    done.clear()
                    offered = False
            yield {"valid": 0}

        self._attach(port, feed(), ("ready",))
        return done

    def collect(self, port: stream.Interface, expected: int, pauses: Pauses = never) -> list[Transfer]:
        """Take transfers; the list fills while the simulation runs.

        Fails where an offered payload changes or goes before it is taken, and where the number of transfers is
        `expected` but another follows within 16 cycles.
        """
        done: list[Transfer] = []

        def drain() -> Driver:
            held, end = None, self.reset + 1
            for cycle in count():
                if len(done) >= expected and cycle > end:
                    break
                ready = not pauses(cycle)
                seen = yield {"ready": ready}
                assert held is None or (seen["valid"] and seen["payload"] == held), f"cycle {cycle}: an offer went"
                held = seen["payload"] if seen["valid"] and not ready else None
                if seen["valid"] and ready:
                    done.append(Transfer(cycle, seen["payload"]))
                    end = max(end, cycle + 16)
                if cycle == self.reset:
                    done.clear()
                    held = None
            assert len(done) == expected, f"{len(done)} transfers where {expected} were expected"

        self._attach(port, drain(), ("valid", "payload"))
        return done

    def play(self, driver: Driver, *watched: str) -> list[dict[str, Any]]:
        """Drive members of the component; the list fills with what was watched, at the end of each cycle."""
        return self._attach(self.component, driver, watched)

    def run(self) -> None:
        """Simulate until every stream has had its transfers and every driver has ended."""
        self._simulator.run()

    def _attach(self, owner: Any, driver: Driver, watched: Sequence[str]) -> list[dict[str, Any]]:
        trace: list[dict[str, Any]] = []
        values = [_member(owner, name) for name in watched]

        async def follow(ctx: Any) -> None:
            inputs: Mapping[str, Any] | None = next(driver, None)
            while inputs is not None:
                for name, value in inputs.items():
                    ctx.set(_member(owner, name), value)
                _, _, *sampled = await ctx.tick().sample(*values)
                trace.append({name: _plain(value) for name, value in zip(watched, sampled, strict=True)})
                assert len(trace) < self.limit, f"no end after {self.limit} cycles of driving {owner}"
                try:
                    inputs = driver.send(trace[-1])
                except StopIteration:
                    inputs = None

        self._simulator.add_testbench(follow)
        return trace


def _member(owner: Any, name: str) -> Any:
    return reduce(getattr, name.split("."), owner)


def _plain(value: Any) -> Any:
    if not isinstance(value, data.Const):
        return value
    layout = data.Layout.cast(value.shape())
    if isinstance(layout, data.StructLayout):
        return {name: _plain(value[name]) for name, _ in layout}
    return [_plain(value[index]) for index, _ in layout]


def trace(component: wiring.Component, driver: Driver, *watched: str) -> list[dict[str, Any]]:
    """Play one driver on a component; what was watched, one dictionary a cycle."""
    bench = Bench(component)
    seen = bench.play(driver, *watched)
    bench.run()
    return seen
