"""Sources of the GGUF kind: TQ1_0 and TQ2_0 of llama.cpp, I2_S of bitnet.cpp."""

from pathlib import Path
from typing import Final

import numpy as np

from gen.imports.decoder_shapes import Decoder
from gen.imports.sources import Source
from golden.errors import TritweaveError
from golden.files.gguf import GgufHeader, read_gguf_header
from golden.files.layer_file import LayerSpec, TernaryLayer
from golden.files.packing_gguf import BLOCK, I2S_BLOCKS, decode_i2s, decode_tq

ARCHITECTURES: Final = ("bitnet", "bitnet-25", "bitnet-b1.58", "llama")
"""The ``general.architecture`` whose linear layers are known."""

_TERNARY: Final = ("TQ1_0", "TQ2_0", "I2_S")
_NUMBERS: Final = (
    "block_count",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
)
_NAMES: Final = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


class Gguf(Source):
    """Layers of a GGUF file.

    TQ1_0 and TQ2_0 have a scale for each 256 inputs of a row, I2_S one for the layer. A tensor ``NAME.scale``, as
    some converters write it, multiplies them.
    """

    def __init__(self, path: Path, header: GgufHeader, layers: dict[str, tuple[int, int]], i2s_block: int):
        self._i2s_block = i2s_block
        architecture = header.metadata.get("general.architecture")
        unknown = f"the architecture is {architecture!r}, known are {', '.join(ARCHITECTURES)}"
        super().__init__(path, f"GGUF, {architecture}", header.tensors, layers, unknown)

    def spec(self, name: str) -> LayerSpec:
        """Shapes as the file says, checked against its metadata."""
        weight = self.matrix(name)
        if weight.type not in _TERNARY:
            raise TritweaveError(f"{weight.name} has type {weight.type}; {', '.join(_TERNARY)} are read")
        outputs, inputs = weight.shape
        expected = self.layers.get(name, weight.shape)
        if weight.shape != expected:
            raise TritweaveError(f"{weight.name} has shape {weight.shape}; the metadata make it {expected}")
        groups = 0 if weight.type == "I2_S" else inputs // BLOCK
        return LayerSpec(name, outputs, inputs, groups, bias=f"{name}.bias" in self.tensors)

    def read(self, name: str) -> TernaryLayer:
        """Unpack; every scale becomes what a trit is worth."""
        spec, weight = self.spec(name), self.matrix(name)
        try:
            if weight.type == "I2_S":
                trits, one = decode_i2s(weight.raw(), (spec.outputs, spec.inputs), self._i2s_block)
                scale = np.array([one], np.float32)
            else:
                trits, scale = decode_tq(weight.type, weight.raw().reshape(spec.outputs, -1))
        except TritweaveError as error:
            raise TritweaveError(f"{weight.name}: {error}") from error
        if f"{name}.scale" in self.tensors:
            scale = scale * np.float32(self.one_scale(f"{name}.scale"))
        return TernaryLayer(name, trits, scale, bias=self.vector(f"{name}.bias", spec.outputs))

    def is_ternary(self, name: str) -> bool:
        """Weights of a ternary type."""
        return self.tensors[name + self.weight].type in _TERNARY


def open_gguf(path: Path, i2s_block: int = I2S_BLOCKS[0]) -> Gguf:
    """A source from a GGUF file; `i2s_block` is the block of I2_S, which the file does not say."""
    if i2s_block not in I2S_BLOCKS:
        raise TritweaveError(f"the block of I2_S is {i2s_block}; it is one of {', '.join(map(str, I2S_BLOCKS))}")
    header = read_gguf_header(path)
    parts = header.metadata.get("split.count", 1)
    if parts not in (0, 1):
        raise TritweaveError(f"{path} is one of {parts} parts; join them with llama-gguf-split --merge")
    architecture = header.metadata.get("general.architecture")
    layers = {}
    if architecture in ARCHITECTURES:
        decoder = Decoder.read(path, header.metadata, tuple(f"{architecture}.{key}" for key in _NUMBERS))
        layers = decoder.layers("blk", _NAMES)
    return Gguf(path, header, layers, i2s_block)
