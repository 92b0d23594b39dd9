"""The plan: a network, the engine that is built for it, and everything that is known of it before it is built."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from gen.plan.area import Area, estimate_area, multipliers_needed
from gen.plan.assemble import assemble
from gen.plan.cycles import Cycles
from gen.plan.header import engine_notes
from gen.verilog import generate
from golden.errors import TritweaveError
from golden.files.image import MemoryImage
from golden.network import Layer, Network
from golden.schemes.integer import half
from golden.schemes.network import AnyNetwork, SegmentedNetwork
from rtl.engine.config import ARRAYS, EngineConfig
from rtl.engine.engine import Engine
from rtl.engine.norm_config import Norming
from rtl.engine.scaling import Scaling

MODULE = "tritweave"
"""Name of the generated top module, unless another is given."""


class Fold(NamedTuple):
    """How an engine is folded: R outputs and C inputs a cycle in the array, L values a cycle outside it."""

    rows: int
    columns: int
    lanes: int

    @classmethod
    def parse(cls, text: str) -> "Fold":
        """Read ``RxCxL``, e.g. ``16x16x8``."""
        parts = text.lower().split("x")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
            raise TritweaveError(f"the fold is {text!r}; write it ROWSxCOLUMNSxLANES, for example 16x16x8")
        return cls(*(int(part) for part in parts))

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}x{self.lanes}"


@dataclass(frozen=True, eq=False)
class Plan:
    """A network on an engine made for it.

    Parameters
    ----------
    network
        What it runs; one with segments is `golden.schemes.network.SegmentedNetwork.aligned` to the engine's columns.
    config
        The engine, whose limits the network must fit.
    family
        Device family whose logic and memory are estimated, one of `gen.plan.devices.FAMILIES`.

    """

    network: AnyNetwork
    config: EngineConfig
    family: str = "ecp5"

    def __post_init__(self) -> None:
        config, layers = self.config, self.network.layers
        needs = {
            "max_inputs": layers[0].inputs,
            "max_hidden": _longest_hidden(self.network),
            "max_outputs": layers[-1].outputs,
            "layers": len(layers),
            "weight_words": sum(_weight_words(self.network, config.rows, config.columns)),
            "correction_words": sum(_correction_words(self.network, config.lanes)),
            "addends": _addends(self.network),
        }
        if isinstance(self.network, SegmentedNetwork) and config.scaling != (needed := _scaling(self.network)):
            raise TritweaveError(f"{self.network.name} needs {needed}; the engine has {config.scaling}")
        if isinstance(self.network, Network) and config.scaling:
            raise TritweaveError(f"{self.network.name} has one scale a layer; the engine has {config.scaling}")
        if config.norming != (needed := _norming(self.network, config.lanes)):
            raise TritweaveError(f"{self.network.name} needs {needed}; the engine has {config.norming}")
        for name, need in needs.items():
            if need > getattr(config, name):
                raise TritweaveError(f"{self.network.name} needs {name} {need}; the engine has {getattr(config, name)}")
        if config.input_signed != (self.network.input_type == "int8"):
            has = "int8" if config.input_signed else "uint8"
            raise TritweaveError(f"{self.network.name} takes {self.network.input_type}; the engine takes {has}")

    @cached_property
    def cycles(self) -> Cycles:
        """Predicted cycles; simulation agrees exactly."""
        return Cycles(self.config, self.network.layers)

    @cached_property
    def image(self) -> MemoryImage:
        """The contents of the engine's memories."""
        return assemble(self.network, self.config)

    @property
    def tiling(self) -> list[tuple[int, int]]:
        """For each layer, its tiles and the chunks that a tile takes in all its passes."""
        return _tiling(self.network, self.config.rows, self.config.columns)

    @cached_property
    def area(self) -> Area:
        """Estimated logic and memory on the plan's device family."""
        return estimate_area(self.config, self.family)

    @property
    def fold(self) -> Fold:
        """How the engine is folded."""
        return Fold(self.config.rows, self.config.columns, self.config.lanes)

    def figures(self) -> dict[str, object]:
        """What the plan predicts, for a JSON file."""
        cycles, area, config = self.cycles, self.area, self.config
        return {
            "model": self.network.name,
            "trits": self.network.trits,
            "fold": str(self.fold),
            "packing": config.packing,
            "spram": config.spram,
            "array": config.array,
            "vectors": config.vectors,
            "divider": config.divider,
            "accumulator_bits": config.accumulator_width,
            "scaling": asdict(config.scaling) if config.scaling else None,
            "norming": asdict(config.norming) if config.norming else None,
            "layers": [
                {"outputs": layer.outputs, "inputs": layer.inputs, "tiles": tiles, "chunks": chunks}
                for layer, (tiles, chunks) in zip(self.network.layers, self.tiling, strict=True)
            ],
            "cycles_latency": cycles.latency,
            "cycles_compute": cycles.compute,
            "cycles_period": cycles.period,
            "cycles_array": cycles.array,
            "array_busy": cycles.busy,
            "utilisation": cycles.utilisation,
            "memories": {
                name: {"words": depth, "bits": sum(config.transfers[name])} for name, depth in config.depths.items()
            },
            "estimate": {
                "family": area.family,
                "lut4": area.lut4,
                "lut4_array": area.array,
                "lut4_decoder": area.decoder,
                "lut4_quantiser": area.quantiser,
                "lut4_rest": area.rest,
                "block_rams": area.block_rams,
                "multipliers": area.multipliers,
            },
        }

    def engine(self, *, initialised: bool = True) -> Engine:
        """The hardware, with the image as its memories' initial contents, SPRAM left out, or with empty memories."""
        memories = self.image.memories if initialised else ()
        names = [name for name in memories if not (self.config.spram and name == "weights")]
        return Engine(self.config, {name: self.image.integers(name) for name in names})

    def verilog(self, *, initialised: bool = True, name: str = MODULE) -> str:
        """The engine's Verilog; the top module is called `name`, and all others begin with it."""
        config = self.config
        parameters = {
            "network": self.network.name if initialised else "none, loaded at run time",
            "array": f"{config.array}, {config.rows} rows x {config.columns} columns",
            "lanes": config.lanes,
            "vectors in flight": config.vectors,
            "packing": config.packing,
            "quantiser": f"{config.divider} dividers",
            **({"scale step": config.scaling} if config.scaling else {}),
            **({"norms": config.norming} if config.norming else {}),
            "input": f"{config.lanes} x {self.network.input_type} a word, up to {config.max_inputs} values",
            "output": f"{config.lanes} x int{config.result_width} a word, up to {config.max_outputs} values",
            "memories": ", ".join(
                f"{name} {depth} x {sum(config.transfers[name])} bits" for name, depth in config.depths.items()
            ),
            "cycles": f"{self.cycles.latency} for a vector alone, {self.cycles.period:.10g} a vector in steady state",
        }
        return generate(self.engine(initialised=initialised), name, parameters, engine_notes(config))


def plan_network(
    network: AnyNetwork,
    fold: Fold,
    *,
    packing: str = "2b",
    array: str = "portable",
    vectors: int = 2,
    divider: str | None = None,
    multipliers: int | None = None,
    spram: bool = False,
    writable: bool = True,
) -> Plan:
    """The smallest engine of a fold that runs the network.

    Without a `divider`, the quantiser multiplies where the array is made of ECP5's cells, because every ECP5 has
    multipliers, if that is smaller, and the device's `multipliers` are enough or not known; otherwise it divides.
    """
    scaling = None
    if isinstance(network, SegmentedNetwork):
        network = network.aligned(max(fold.columns, 1))
        scaling = _scaling(network)
    config = EngineConfig(
        rows=fold.rows,
        columns=fold.columns,
        lanes=fold.lanes,
        max_inputs=network.layers[0].inputs,
        max_hidden=_longest_hidden(network),
        max_outputs=network.layers[-1].outputs,
        layers=len(network.layers),
        weight_words=sum(_weight_words(network, max(fold.rows, 1), max(fold.columns, 1))),
        correction_words=sum(_correction_words(network, max(fold.lanes, 1))),
        packing=packing,
        array=array,
        vectors=vectors,
        divider=divider or "restoring",
        spram=spram,
        scaling=scaling,
        norming=_norming(network, max(fold.lanes, 1)),
        addends=_addends(network),
        input_signed=network.input_type == "int8",
        writable=writable,
    )
    family = ARRAYS[array].family
    if divider is None and family == "ecp5" and config.quantizer.rule == "int8":
        multiplying = replace(config, divider="multiplying")
        enough = multipliers is None or multipliers_needed(multiplying) <= multipliers
        if enough and estimate_area(multiplying).quantiser < estimate_area(config).quantiser:
            config = multiplying
    return Plan(network, config, family or Plan.family)


def _scaling(network: SegmentedNetwork) -> Scaling:
    """The scale step that the network takes."""
    mantissas = max(int(np.abs(part.mantissas).max()) for layer in network.layers for part in layer.parts)
    largest = max(layer.bound for layer in network.layers) + half(network.shift)
    return Scaling(
        longest=max(end - start for layer in network.layers for start, end in layer.passes),
        mantissa_bits=mantissas.bit_length() + 1,
        accumulator_bits=largest.bit_length() + 1,
        shift=network.shift,
        rule=network.rule,
        groups=max(len(layer.ends) for layer in network.layers),
    )


def _norming(network: AnyNetwork, lanes: int) -> Norming | None:
    """The norms that the network has."""
    if not (isinstance(network, Network) and network.normed):
        return None
    words = sum(-(-layer.inputs // lanes) for layer in network.layers)
    return Norming(words, network.norm_shift, network.normed_bits)


def _addends(network: AnyNetwork) -> int:
    found = [layer.addends for layer in network.layers if isinstance(layer, Layer) and layer.addends is not None]
    return max((int(np.abs(addends).max()) for addends in found), default=0)


def _longest_hidden(network: AnyNetwork) -> int:
    return max((layer.inputs for layer in network.layers[1:]), default=1)


def _weight_words(network: AnyNetwork, rows: int, columns: int) -> list[int]:
    return [tiles * chunks for tiles, chunks in _tiling(network, rows, columns)]


def _correction_words(network: AnyNetwork, lanes: int) -> list[int]:
    return [-(-layer.outputs // lanes) * len(layer.passes) for layer in network.layers]


def _tiling(network: AnyNetwork, rows: int, columns: int) -> list[tuple[int, int]]:
    return [
        (-(-layer.outputs // rows), sum(-(-(end - start) // columns) for start, end in layer.passes))
        for layer in network.layers
    ]
