"""Sources of our own: layer files and checkpoints."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gen.imports.sources import Source
from golden.errors import TritweaveError
from golden.files.checkpoint import read_checkpoint
from golden.files.layer_file import LayerSpec, TernaryLayer, check_layers, read_layer, read_left_out, read_specs
from golden.files.safetensors_reader import SafetensorsHeader


class LayerFile(Source):
    """A layer file of our own; its CRC is checked when it is opened."""

    weight = ".trits"

    def __init__(self, path: Path, header: SafetensorsHeader):
        self._array = lambda name: header.tensors[name].array()
        try:
            self._specs = {spec.name: spec for spec in read_specs(header.tensors, header.metadata)}
            check_layers(list(self._specs.values()), header.metadata, self._array)
            self._left_out = read_left_out(header.metadata)
        except TritweaveError as error:
            raise TritweaveError(f"{path}: {error}") from error
        shapes = {name: (spec.outputs, spec.inputs) for name, spec in self._specs.items()}
        without = f", without {', '.join(self._left_out)}" if self._left_out else ""
        super().__init__(path, f"Tritweave layers, from {header.metadata['source']}{without}", header.tensors, shapes)

    def spec(self, name: str) -> LayerSpec:
        """As the file says."""
        return self._specs[name]

    def read(self, name: str) -> TernaryLayer:
        """As it was imported."""
        return read_layer(self._specs[name], self._array)

    def left_out(self, names: Sequence[str]) -> list[str]:
        """What the import before left out, but for what belongs to other layers."""
        others = tuple(f"{name}." for name in self.layers if name not in names)
        return [name for name in self._left_out if not name.startswith(others)]

    def is_ternary(self, name: str) -> bool:
        """Every layer of such a file."""
        return True


class Checkpoint(Source):
    """A checkpoint of our own; it is small, and read as a whole."""

    def __init__(self, path: Path, header: SafetensorsHeader):
        self._layers = {f"layers.{index}": layer for index, layer in enumerate(read_checkpoint(path).layers)}
        shapes = {name: (layer.outputs, layer.inputs) for name, layer in self._layers.items()}
        super().__init__(path, "Tritweave checkpoint", header.tensors, shapes)

    def spec(self, name: str) -> LayerSpec:
        """One scale, nothing else."""
        return LayerSpec(name, *self.layers[name])

    def read(self, name: str) -> TernaryLayer:
        """The network's layer; what its ReLU does is the network's business."""
        layer = self._layers[name]
        return TernaryLayer(name, layer.weights, np.array([layer.scale], np.float32))

    def is_ternary(self, name: str) -> bool:
        """Every layer of a network."""
        return True
