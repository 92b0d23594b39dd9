"""What a decoder's memories hold for one language model."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gen.transformer.program import Program
from golden.errors import TritweaveError
from golden.language.integers import IntegerModel
from golden.language.norm import Gains
from golden.language.scalars import Scalars
from golden.trits import balanced_ternary, pack, packing_named
from rtl.transformer.config import DecoderConfig

_EXPONENT_LIMIT: Final = 60
"""Of a constant: no scalar leaves `rtl.transformer.config.EXPONENT` then, as sizes lie between 2**-50 and 2**50."""


def decoder_image(model: IntegerModel, config: DecoderConfig) -> dict[str, list[int]]:
    """The words of each memory, by its name in `rtl.transformer.decoder.MEMORIES`."""
    return {
        "program": Program.of(config).words(config),
        "weights": _weights(model, config),
        "gains": _gains(model, config),
        "rotations": _rotations(model, config),
        "constants": _constants(model, config),
    }


def _weights(model: IntegerModel, config: DecoderConfig) -> list[int]:
    """Blocks in the order of their steps, then the head, whose tiles go through all chunks for each digit."""
    shape, matrices = config.shape, []
    for block in model.blocks:
        queries = shape.hidden + shape.key_heads * shape.head
        values = np.split(block.attention[queries:], shape.key_heads)
        gate, up = np.split(block.forward, 2)
        matrices += [block.attention[:queries], *values, block.output, gate, up, block.down]
    words = [_tiled(matrix[None], config) for matrix in matrices]
    digits = balanced_ternary(model.embedding, model.form.embedding_digits)
    words.append(_tiled(digits[::-1], config))
    packed = pack(np.concatenate(words), packing_named(config.packing))
    return [int.from_bytes(word.tobytes(), "little") for word in packed]


def _tiled(planes: NDArray[np.int8], config: DecoderConfig) -> NDArray[np.int8]:
    """Words of R·C trits, tile by tile, plane by plane, chunk by chunk; what is beyond the ends is 0."""
    rows, columns = config.rows, config.columns
    count, outputs, inputs = planes.shape
    padded = np.pad(planes, ((0, 0), (0, -outputs % rows), (0, -inputs % columns)))
    split = padded.reshape(count, padded.shape[1] // rows, rows, padded.shape[2] // columns, columns)
    return split.transpose(1, 0, 3, 2, 4).reshape(-1, rows * columns)


def _gains(model: IntegerModel, config: DecoderConfig) -> list[int]:
    """Norm by norm in the order of their steps."""
    norms: list[Gains] = []
    for block in model.blocks:
        norms += [block.attention_gains, block.context_gains, block.forward_gains, block.hidden_gains]
    return [
        word
        for norm in (*norms, model.final_gains)
        for word in _words(norm.values[:, None], config, model.form.gain_bits + 1)
    ]


def _rotations(model: IntegerModel, config: DecoderConfig) -> list[int]:
    """Position by position; cosine and sine beside each other."""
    places = slice(config.shape.context)
    pairs = np.stack([model.rotation.cosines[places], model.rotation.sines[places]], axis=-1)
    return _words(pairs.reshape(-1, 2), config, model.form.rotation_bits + 2)


def _constants(model: IntegerModel, config: DecoderConfig) -> list[int]:
    """Scalars in the order of their steps."""
    scalars: list[Scalars] = []
    for block in model.blocks:
        scalars += [block.score, block.output_scale, block.down_scale]
    return [scalar_word(scalar, config) for scalar in (*scalars, model.logit)]


def scalar_word(scalar: Scalars, config: DecoderConfig) -> int:
    """A constant as the hardware holds it."""
    mantissa, exponent = int(scalar.mantissa), int(scalar.exponent)
    if abs(exponent) > _EXPONENT_LIMIT:
        raise TritweaveError(
            f"a constant of the model is worth {mantissa}·2^{exponent}; engines hold exponents up to {_EXPONENT_LIMIT}"
        )
    fields = config.scalar.members
    exponent_bits = config.scalar.size - config.form.scale_bits
    assert list(fields) == ["mantissa", "exponent"]
    return mantissa | (exponent & (1 << exponent_bits) - 1) << config.form.scale_bits


def _words(values: NDArray[np.int64], config: DecoderConfig, bits: int) -> list[int]:
    """Values of some fields, shape (n, fields), as words of `lanes` of them; the last is filled up with zeros."""
    lanes, fields = config.lanes, values.shape[1]
    padded = np.pad(values, ((0, -len(values) % lanes), (0, 0))).reshape(-1, lanes * fields)
    mask = (1 << bits) - 1
    return [sum((int(value) & mask) << bits * place for place, value in enumerate(word)) for word in padded]
