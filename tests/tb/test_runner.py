# amaranth: UnusedElaboratable=no
import os

import pytest
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring

from golden.errors import TritweaveError
from rtl.array.interface import ArrayConfig
from rtl.array.portable import PortableArray
from rtl.array.trit_decoder import TritDecoder
from rtl.quantiser.config import QuantizerConfig
from rtl.quantiser.quantiser import Quantizer
from sim.testbench import BenchFailure, run_testbench, seed_from_environment

CONFIG = QuantizerConfig(lanes=1, width=6, depths=(3,))


class OffByOne(PortableArray):
    """An array whose last row is wrong when its sum is 7 modulo 32."""

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.core = core = PortableArray(self.config)
        for name in ("valid", "first", "last"):
            m.d.comb += getattr(core, name).eq(getattr(self, name))
        m.d.comb += [Value.cast(core.activations).eq(Value.cast(self.activations))]
        m.d.comb += [Value.cast(core.weights).eq(Value.cast(self.weights)), self.done.eq(core.done)]
        for row in range(self.config.rows - 1):
            m.d.comb += self.sums[row].eq(core.sums[row])
        m.d.comb += self.sums[-1].eq(core.sums[-1] + (core.sums[-1].as_unsigned()[:5] == 7))
        return m


class Restless(Quantizer):
    """A quantiser whose right results do not wait."""

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.core = core = Quantizer(self.config)
        wiring.connect(m, wiring.flipped(self.i), core.i)
        stalled = Signal()
        m.d.sync += stalled.eq(self.o.valid & ~self.o.ready)
        m.d.comb += [
            self.o.valid.eq(core.o.valid),
            core.o.ready.eq(self.o.ready),
            self.o.payload.data.eq(core.o.payload.data),
            self.o.payload.last.eq(core.o.payload.last ^ stalled),
        ]
        return m


def run_quantizer(component: Quantizer, **options):
    settings = {"config": vars(component.config)}
    return run_testbench(component, "quantizer", {}, module="tb.bench_quantizer", settings=settings, **options)


def test_a_rare_wrong_sum_is_found_and_named():
    config = ArrayConfig(rows=2, columns=2, inputs=8)
    settings = {"array": "portable", "config": vars(config)}
    with pytest.raises(BenchFailure, match=r"random_tiles: AssertionError: array: output \d+ is .* the model gives"):
        run_testbench(OffByOne(config), "array", {}, module="tb.bench_array", settings=settings)


def test_a_broken_rule_of_transfer_is_found_and_named():
    with pytest.raises(BenchFailure, match=r"random_vectors: AssertionError: o: in cycle \d+ the offer of .* becomes"):
        run_quantizer(Restless(CONFIG), testcase="random_vectors")


def test_no_test_is_a_failure():
    with pytest.raises(BenchFailure, match="no test ran"):
        run_quantizer(Restless(CONFIG), testcase="vectors")


def test_a_module_that_is_not_there_is_a_failure():
    with pytest.raises(BenchFailure, match="the simulation ended before its results were written"):
        run_testbench(Restless(CONFIG), "quantizer", {}, module="tb.bench_nothing")


def test_waves_are_written(tmp_path):
    settings = {"packing": "2b", "trits": 1}
    decoder, waves = TritDecoder("2b", 1), tmp_path / "decoder.vcd"
    run_testbench(decoder, "decoder", {}, module="tb.bench_decoder", settings=settings, waves=waves)
    assert "$enddefinitions" in waves.read_text()


def test_the_seed_and_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("TRITWEAVE_SEED", "77")
    before = dict(os.environ)
    folder = run_quantizer(Restless(CONFIG), testcase="timing")
    assert dict(os.environ) == before
    assert "TRITWEAVE_SEED=77" in capsys.readouterr().out
    assert "Seeding Python random module with 77" in (folder / "simulation.log").read_text()
    assert (folder / "results.xml").is_file()


def test_a_seed_that_is_no_number(monkeypatch):
    monkeypatch.setenv("TRITWEAVE_SEED", "-1")
    with pytest.raises(TritweaveError, match="TRITWEAVE_SEED is '-1'; it must be a whole number"):
        seed_from_environment()
