# amaranth: UnusedElaboratable=no
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gen.plan.plan import MODULE, Fold, Plan, plan_network
from gen.verilog import Port, Ports, generate
from golden.errors import TritweaveError
from golden.formats import LOAD_WIDTH, MEMORIES, PACKINGS
from golden.network import Layer, Network
from rtl.engine.drain import Drain, DrainConfig
from rtl.memory.activation_buffer import ActivationBuffer, BufferConfig

REPOSITORY = Path(__file__).parents[2]
DECLARATION = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?\\?(\w+) ?;$", re.MULTILINE)
INITIAL = re.compile(r"^    \w+\[\d+\] = \d+'([hd])(\w+);$", re.MULTILINE)


def plan(packing: str = "3t5b") -> Plan:
    """A small engine with everything in it."""
    random = np.random.default_rng(1)
    layers = tuple(Layer(random.integers(-1, 2, shape).astype(np.int8), 1.0, True) for shape in ((5, 7), (3, 5)))
    return plan_network(Network("small", layers), Fold(2, 4, 2), packing=packing)


@pytest.fixture(scope="module")
def verilog() -> str:
    return plan().verilog()


def header(text: str, heading: str) -> list[str]:
    """The lines under a heading of the comment at the top."""
    below = text.split(f"// {heading}\n", 1)[1].splitlines()
    end = next(index for index, line in enumerate(below) if not line.startswith("//   "))
    return [line.removeprefix("//   ") for line in below[:end]]


def top_module(text: str, name: str) -> str:
    """The text of the module of that name."""
    found = re.findall(rf"^module {name}\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return found[0]


def declared(text: str, name: str) -> dict[str, tuple[str, int]]:
    """Direction and width of each port of a module, from its declarations."""
    return {
        port: (direction, int(high or 0) + 1) for direction, high, port in DECLARATION.findall(top_module(text, name))
    }


def listed(text: str) -> dict[str, tuple[str, int]]:
    """The same from the header."""
    lines = [line.split() for line in header(text, "Ports")]
    return {name: (direction, int(width)) for name, direction, width, *_ in lines}


def test_the_header_lists_the_parameters(verilog: str) -> None:
    assert verilog.startswith(f"// {MODULE}: Runs the network in its memories on one vector after another.\n")
    parameters = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in header(verilog, "Parameters"))
    assert parameters == {
        "network": "small",
        "quantiser": "restoring dividers",
        "array": "portable, 2 rows x 4 columns",
        "lanes": "2",
        "vectors in flight": "2",
        "packing": "3t5b",
        "input": "2 x uint8 a word, up to 7 values",
        "output": "2 x int11 a word, up to 3 values",
        "memories": "program 2 x 64 bits, corrections 5 x 22 bits, weights 10 x 15 bits",
        "cycles": f"{plan().cycles.latency} for a vector alone, {plan().cycles.period:.10g} a vector in steady state",
    }


def test_the_header_lists_the_ports_that_the_module_has(verilog: str) -> None:
    expected = {
        "clk": ("input", 1),
        "rst": ("input", 1),
        "i_data": ("input", 16),
        "i_valid": ("input", 1),
        "i_ready": ("output", 1),
        "o_data": ("output", 22),
        "o_last": ("output", 1),
        "o_valid": ("output", 1),
        "o_ready": ("input", 1),
        "load_data": ("input", 32),
        "load_address": ("input", 24),
        "load_last": ("input", 1),
        "load_memory": ("input", 2),
        "load_valid": ("input", 1),
        "load_ready": ("output", 1),
    }
    assert listed(verilog) == declared(verilog, MODULE) == expected
    assert list(listed(verilog)) == list(expected)


@pytest.mark.parametrize(
    ("component", "absent"),
    [(ActivationBuffer(BufferConfig(4, 2, (3,))), "i_ready"), (Drain(DrainConfig(4, 2, 9)), "o_ready")],
    ids=["buffer", "drain"],
)
def test_any_component_has_the_name_it_is_given_and_no_port_for_what_is_constant(
    component: wiring.Component, absent: str
) -> None:
    text = generate(component, "part", {"size": 4})
    assert header(text, "Parameters") == ["size  4"]
    assert listed(text) == declared(text, "part")
    assert absent not in listed(text)
    assert absent.replace("ready", "valid") in listed(text)


class Sums(wiring.Component):
    """Signed ports."""

    left: Signal
    right: Signal
    total: Signal

    def __init__(self) -> None:
        super().__init__({"left": In(signed(5)), "right": In(4), "total": Out(signed(6))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.total.eq(self.left + self.right)
        return m


def test_signed_ports_are_marked_in_the_header_which_lists_no_clock_where_there_is_none() -> None:
    text = generate(Sums(), "sums", {})
    signs = {"left": True, "right": False, "total": True}
    assert {line.split()[0]: line.endswith(", signed") for line in header(text, "Ports")} == signs
    assert Ports(Sums()).ports[2:] == [
        Port("left", "input", 5, True),
        Port("right", "input", 4, False),
        Port("total", "output", 6, True),
    ]


def test_equal_plans_give_equal_bytes_in_any_process(verilog: str) -> None:
    code = "from test_verilog import plan; print(plan().verilog(), end='')"
    paths = os.pathsep.join([str(Path(__file__).parent), str(REPOSITORY)])
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
        assert done.stdout.decode() == verilog
    assert plan().verilog() == verilog


def test_nothing_of_the_machine_or_the_time_is_in_it(verilog: str) -> None:
    assert str(REPOSITORY) not in verilog
    assert re.search(r"\b20\d\d-\d\d|\.py\b|\(\* src", verilog) is None


def test_no_name_needs_an_escape_or_stands_for_a_number(verilog: str) -> None:
    assert "\\" not in verilog
    assert set(re.findall(r"\$\w+", verilog)) <= {"$signed", "$unsigned"}
    modules = re.findall(r"^module (\w+)", verilog, re.MULTILINE)
    assert all(module.startswith(MODULE) for module in modules)
    assert {f"{MODULE}_core_sequencer_walk", f"{MODULE}_core_weights"} < set(modules)
    core = top_module(verilog, f"{MODULE}_core")
    assert ".weights(array_weights)" in core  # the decoder's output and the array's input
    assert "reg [2:0] chunk_1 = 3'h0;" in core
    assert "always @(*)" not in verilog


def test_the_header_says_how_to_load_and_instantiate(verilog: str) -> None:
    small = plan()
    sizes = [line.split() for line in header(verilog, "Load port") if re.match(r"\s+[0-2]  ", line)]
    transfers = [int(words) * int(count) for _, _, words, count in sizes]
    assert [name for _, name, *_ in sizes] == list(MEMORIES)
    assert len(list(small.image.loads())) == sum(transfers)
    assert f"behind {len(small.image.to_bytes()) - 4 * sum(transfers)} bytes" in verilog
    template = "\n".join(header(verilog, "Instance"))
    assert re.findall(r"\.(\w+)\(\1\)", template) == list(listed(verilog))


@pytest.mark.parametrize("name", ["", "9x", "two__scores", "_first", "last_", "a-b", "module", "logic", "x" * 65, "ä"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(TritweaveError, match=re.escape(f"the module's name is {name!r}; it must be")):
        generate(Sums(), name, {})


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_memories_hold_the_image_only_where_it_is_built_in(packing: str) -> None:
    small = plan(packing)
    expected = sorted(
        kept for name in MEMORIES for word in small.image.integers(name) if (kept := kept_of(word, small, name))
    )
    assert len(expected) >= len(small.network.layers)
    assert sorted(word for word in initial(small.verilog()) if word) == expected
    empty = small.verilog(initialised=False)
    assert initial(empty)
    assert not any(initial(empty))
    assert "none, loaded at run time" in header(empty, "Parameters")[0]


def initial(text: str) -> list[int]:
    """All words that the Verilog's memories start with."""
    return [int(word, {"h": 16, "d": 10}[base]) for base, word in INITIAL.findall(text)]


def kept_of(word: int, made: Plan, memory: str) -> int:
    """What an engine's memory keeps of a word of the image: the lowest bits of each transfer."""
    kept, shift = 0, 0
    for index, bits in enumerate(made.config.transfers[memory]):
        kept |= (word >> index * LOAD_WIDTH) % (1 << bits) << shift
        shift += bits
    return kept
