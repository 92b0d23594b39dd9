"""From a network and the engine it shall run on to the memory image."""

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.image import Geometry, LayerProgram, MemoryImage
from golden.formats import Correction
from golden.network import Layer
from golden.schemes.integer import IntegerLayer
from golden.schemes.network import AnyNetwork
from golden.trits import packing_named
from rtl.engine.config import EngineConfig

_GROUP_LAST, _WIDE = 1, 2
"""Flags of a word, see `golden.formats.SCALES`."""


def assemble(network: AnyNetwork, config: EngineConfig) -> MemoryImage:
    """Lay the network out tile by tile; outputs and inputs beyond a layer's ends get zero weights."""
    packing = packing_named(config.packing)
    geometry = Geometry(config.rows, config.columns, config.lanes, packing, config.correction, config.scales)
    program, corrections, weights, norms = [], [], [], []
    for index, layer in enumerate(network.layers):
        parts = [layer.weights] if isinstance(layer, Layer) else [part.trits for part in layer.parts]
        tiles, chunks = -(-layer.outputs // config.rows), -(-layer.inputs // config.columns)
        weights.append(
            np.concatenate([_tiled(part, config) for part in parts], axis=1).reshape(-1, config.rows * config.columns)
        )
        beside = []
        if isinstance(layer, IntegerLayer):
            behind = network.layers[index + 1] if index + 1 < len(network.layers) else None
            beside = _beside(layer, behind if isinstance(behind, IntegerLayer) else None, config)
        addends = layer.addends if isinstance(layer, Layer) else None
        words = [_corrections(part, config.lanes, config.correction, addends) for part in parts]
        if beside:
            words = [np.hstack(pair) for pair in zip(words, beside, strict=True)]
        interval = config.drain.interval
        corrections += [word[tile * interval :][:interval] for tile in range(tiles) for word in words]
        program.append(
            LayerProgram(
                last_input=-(-layer.inputs // config.lanes) - 1,
                last_chunk=chunks - 1,
                last_tile=tiles - 1,
                last_drain=-(-(layer.outputs - (tiles - 1) * config.rows) // config.lanes) - 1,
                relu=layer.relu,
                final=index == len(network.layers) - 1,
                **(_segments(layer, config.columns) if isinstance(layer, IntegerLayer) else {}),
                **({"elements": layer.inputs, "first_gain": sum(map(len, norms))} if config.norming else {}),
            )
        )
        if isinstance(layer, Layer) and layer.norm:
            pairs = np.stack([layer.norm.gains, layer.norm.biases], axis=1).astype(np.int16)
            norms.append(np.pad(pairs, ((0, -len(pairs) % config.lanes), (0, 0))).reshape(-1, config.lanes, 2))
    return MemoryImage(
        geometry,
        tuple(program),
        np.concatenate(corrections),
        np.concatenate(weights),
        np.concatenate(norms) if norms else None,
    )


def _tiled(trits: NDArray[np.int8], config: EngineConfig) -> NDArray[np.int8]:
    """Words of the weight memory, shape (tiles, chunks, rows·columns)."""
    rows, columns = config.rows, config.columns
    outputs, inputs = trits.shape
    padded = np.pad(trits, ((0, -outputs % rows), (0, -inputs % columns)))
    tiles, chunks = padded.shape[0] // rows, padded.shape[1] // columns
    by_row = padded.reshape(tiles, rows, chunks, columns)
    return by_row.transpose(0, 2, 1, 3).reshape(tiles, chunks, rows * columns)


def _corrections(
    trits: NDArray[np.int8], lanes: int, correction: Correction, addends: NDArray[np.int64] | None
) -> NDArray[np.int32]:
    """What the array leaves out of each output's sum, from the numbers of its +1 and -1 weights; and its addend."""
    plus, minus = ((trits == trit).sum(axis=1, dtype=np.int32) for trit in (1, -1))
    lacking = correction.plus * plus + correction.minus * minus
    return _in_words(lacking if addends is None else lacking + addends.astype(np.int32), lanes)


def _beside(layer: IntegerLayer, behind: IntegerLayer | None, config: EngineConfig) -> list[NDArray[np.int32]]:
    """For each part, what stands beside its corrections: mantissas, and flags of the groups of the layer behind."""
    mantissas = [_in_words(part.mantissas.astype(np.int32), config.lanes) for part in layer.parts]
    if not (config.scaling and config.scaling.factors):
        return mantissas
    flags = np.zeros((len(mantissas[0]), 1), np.int32)
    if behind:
        # Of each group, the index behind its last word; of int4 groups the last one, behind all others, is wide.
        ends = np.array([-(-end // config.lanes) for end in behind.ends])
        flags[ends - 1] |= _GROUP_LAST
        if config.quantizer.int4:
            flags[ends[-2] :] |= _WIDE
    return [np.hstack([words, flags]) for words in mantissas]


def _segments(layer: IntegerLayer, columns: int) -> dict[str, int]:
    """The layer's fields of the program; an error says so if its segments are not of one kind."""
    inner = layer.ends[:-1] if layer.side else layer.ends
    counts = [sum(part.group == group for part in layer.parts) for group in range(len(layer.ends))]
    length = inner[0]
    regular = all(end == min((index + 1) * length, inner[-1]) for index, end in enumerate(inner))
    if not regular or len(set(counts[: len(inner)])) != 1:
        raise TritweaveError(
            f"the segments end at {inner} and have {counts[: len(inner)]} parts; on an engine all have one length and "
            "as many parts, and only the last may be shorter"
        )
    return {
        "last_segment": -(-length // columns) - 1,
        "last_inner": -(-inner[-1] // columns) - 1,
        "last_plane": counts[0] - 1,
        "last_side_plane": counts[-1] - 1 if layer.side else 0,
    }


def _in_words(values: NDArray[np.int32], lanes: int) -> NDArray[np.int32]:
    return np.pad(values, (0, -len(values) % lanes)).reshape(-1, lanes)
