"""Imports: layers of a source become a layer file."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from gen.imports.inspecting import Shares
from gen.imports.sources import Source
from golden.errors import TritweaveError
from golden.files.layer_file import BIAS_UNITS, LayerSpec, TernaryLayer, write_layers
from golden.files.safetensors_writer import canonical
from golden.network import check_interface
from golden.schemes.layers import obstacle


@dataclass(frozen=True)
class Chain:
    """How the layers work together if they make a network.

    Parameters
    ----------
    name
        Its name.
    input_type
        ``uint8`` or ``int8``.
    input_unit
        What one unit of the input is worth.
    relu
        Whether all layers but the last rectify.
    bias_unit
        What biases count in, one of `golden.files.layer_file.BIAS_UNITS`.

    """

    name: str
    input_type: str = "uint8"
    input_unit: float = 1.0
    relu: bool = True
    bias_unit: str = BIAS_UNITS[0]

    def __post_init__(self) -> None:
        if self.bias_unit not in BIAS_UNITS:
            raise TritweaveError(f"--bias-unit is {self.bias_unit!r}; it is one of {', '.join(BIAS_UNITS)}")
        check_interface(self.name, self.input_type, self.input_unit)


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Parameters
    ----------
    source
        Format and conventions of what was read.
    layers
        How many there are.
    trits
        By value.
    bytes_read, bytes_written
        Of weights; of the file.
    seconds
        From the first layer to the end of the file.
    obstacle
        Why the layers make no network; None: they make one.
    left_out
        Tensors that belong to the layers and have no place in the file.
    notes
        What was assumed, passed over or lost.

    """

    source: str
    layers: int
    trits: Shares
    bytes_read: int
    bytes_written: int
    seconds: float
    obstacle: str | None
    left_out: list[str]
    notes: list[str]

    @property
    def rate(self) -> float:
        """Megabytes of weights a second."""
        return self.bytes_read / self.seconds / 1e6

    def rows(self, model: Path) -> list[tuple[str, str]]:
        """As words; `model` is the file."""
        return [
            ("from", self.source),
            ("layers", f"{self.layers:,}"),
            ("trits", f"{sum(self.trits):,}: {self.trits} % are -1, 0, +1"),
            ("bytes", f"{self.bytes_written:,} from {self.bytes_read:,} of weights"),
            ("time", f"{self.seconds:.1f} s, {self.rate:.0f} MB/s"),
            *(("note", note) for note in self.notes),
            *(("left out", name) for name in self.left_out[:8]),
            ("network", f"none: {self.obstacle}" if self.obstacle else f"next: tritweave plan {model}"),
        ]

    def figures(self) -> dict[str, Any]:
        """All of it, for a file."""
        return asdict(self) | {"trits": self.trits._asdict(), "megabytes_per_second": self.rate}


def network_name(path: Path) -> str:
    """A network's name made of a file's: what is no letter, digit, ``-`` or ``_`` becomes ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-") or "network"


def import_layers(
    source: Source,
    names: Sequence[str],
    output: Path,
    chain: Chain,
    progress: Callable[[int], None] = lambda count: None,
) -> Imported:
    """Write a layer file, one layer in memory at a time.

    Parameters
    ----------
    source
        Where the layers are.
    names
        Which, and in which order; see `Source.select`.
    output
        The file; it is replaced when all layers are written.
    chain
        What the file says of the network that the layers make.
    progress
        Called with 1 after each layer.

    """
    source.prepare(names)
    specs = [source.spec(name) for name in names]
    left_out = source.left_out(names)
    total, start = Shares(0, 0, 0), perf_counter()

    def layers() -> Iterator[TernaryLayer]:
        nonlocal total
        for name in names:
            layer = source.read(name)
            total += Shares.of(layer)
            yield layer
            progress(1)

    activations = ["relu" if chain.relu else "none"] * (len(specs) - 1) + ["none"]
    activations = source.activations(names) or activations
    metadata = {
        "source": source.description,
        "name": chain.name,
        "input_type": chain.input_type,
        "input_unit": repr(float(chain.input_unit)),
        "activations": ",".join(activations),
    } | ({"left_out": canonical(left_out).decode()} if left_out else {})
    metadata |= {"bias_unit": chain.bias_unit} if chain.bias_unit != BIAS_UNITS[0] else {}
    write_layers(output, specs, layers(), metadata)
    return Imported(
        source.description,
        len(specs),
        total,
        sum(source.matrix(name).size for name in names),
        output.stat().st_size,
        perf_counter() - start,
        obstacle(specs, [activation == "relu" for activation in activations], left_out, chain.bias_unit),
        left_out,
        source.notes() + _units(specs, chain) + _losses(source.losses),
    )


def _units(specs: Sequence[LayerSpec], chain: Chain) -> list[str]:
    """What must be known where something is added to results."""
    real = chain.bias_unit == BIAS_UNITS[0]
    if chain.input_unit == 1 and any(
        (spec.bias and real) or (spec.norm and spec.norm.kind == "batch") for spec in specs
    ):
        return ["what biases and norms add is real: a unit of the input is taken to be worth 1; --input-unit sets it"]
    return []


def _losses(losses: dict[str, float]) -> list[str]:
    """What it costs to make trits of floats that were none."""
    if not losses:
        return []
    worst, count = max(losses, key=losses.__getitem__), len(losses)
    return [
        f"warning: {count} of the layers {'were' if count > 1 else 'was'} never ternary; by Wmean3 up to "
        f"{losses[worst]:.0%} of the weights is lost ({worst}), which only weights trained with it bear; "
        f"for others see `tritweave quantise`"
    ]
