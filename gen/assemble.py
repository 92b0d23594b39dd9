"""From a network and the engine it shall run on to the memory image."""

import numpy as np

from golden.formats import Correction
from golden.image import Geometry, LayerProgram, MemoryImage
from golden.network import Layer, Network
from golden.trits import packing_named
from rtl.config import EngineConfig


def assemble(network: Network, config: EngineConfig) -> MemoryImage:
    """Lay the network out tile by tile; outputs and inputs beyond a layer's ends get zero weights."""
    geometry = Geometry(config.rows, config.columns, config.lanes, packing_named(config.packing), config.correction)
    program, corrections, weights = [], [], []
    for index, layer in enumerate(network.layers):
        padded = np.pad(layer.weights, ((0, -layer.outputs % config.rows), (0, -layer.inputs % config.columns)))
        tiles, chunks = padded.shape[0] // config.rows, padded.shape[1] // config.columns
        tiled = padded.reshape(tiles, config.rows, chunks, config.columns)
        weights.append(tiled.transpose(0, 2, 1, 3).reshape(tiles * chunks, -1))
        corrections.append(_corrections(layer, config.lanes, config.correction))
        program.append(
            LayerProgram(
                last_input=-(-layer.inputs // config.lanes) - 1,
                last_chunk=chunks - 1,
                last_tile=tiles - 1,
                last_drain=-(-(layer.outputs - (tiles - 1) * config.rows) // config.lanes) - 1,
                relu=layer.relu,
                final=index == len(network.layers) - 1,
            )
        )
    return MemoryImage(geometry, tuple(program), np.concatenate(corrections), np.concatenate(weights))


def _corrections(layer: Layer, lanes: int, correction: Correction) -> np.ndarray:
    """What the array leaves out of each output's sum, from the numbers of its +1 and -1 weights."""
    plus, minus = ((layer.weights == trit).sum(axis=1, dtype=np.int32) for trit in (1, -1))
    corrections = correction.plus * plus + correction.minus * minus
    return np.pad(corrections, (0, -layer.outputs % lanes)).reshape(-1, lanes)
