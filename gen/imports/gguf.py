"""Sources of the GGUF kind: TQ1_0 and TQ2_0 of llama.cpp, I2_S of bitnet.cpp."""

from pathlib import Path
from typing import Final

import numpy as np

from gen.imports.decoder_shapes import Decoder
from gen.imports.tensor_source import TensorSource
from gen.imports.weights import NO_MORE, Reading, Weights, scale_groups, scale_worth
from golden.errors import TritweaveError
from golden.files.gguf import read_gguf_header
from golden.files.layer_file import LayerSpec
from golden.files.packing_gguf import BLOCK, decode_tq
from golden.files.packing_i2s import LAYOUTS, check_layout, decode_i2s
from golden.files.stored import StoredTensor, Tensor

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


class Gguf(TensorSource):
    """Layers of a GGUF file.

    TQ1_0 and TQ2_0 have a scale for each 256 inputs of a row, I2_S one for the layer. A tensor ``NAME.scale`` or
    ``NAME.weight_scale``, as some converters write it, multiplies them.
    """

    layout: str | None = None
    """Of I2_S, as the user says."""

    def shape(self, name: str) -> tuple[int, int]:
        """Shapes as the file says, checked against its metadata."""
        weight = self.matrix(name)
        if weight.type not in _TERNARY:
            raise TritweaveError(f"{weight.name} has type {weight.type}; {', '.join(_TERNARY)} are read")
        expected = self.layers.get(name, weight.shape)
        if weight.shape != expected:
            raise TritweaveError(f"{weight.name} has shape {weight.shape}; the metadata make it {expected}")
        return weight.shape[0], weight.shape[1]

    def groups(self, name: str, outputs: int, inputs: int) -> int:
        """One scale for a layer of I2_S, or one for each block of a row."""
        return 0 if self.matrix(name).type == "I2_S" else inputs // BLOCK

    def weights(self, weight: Tensor, spec: LayerSpec) -> Weights:
        """Unpack; a scale beside the weights multiplies theirs."""
        assert isinstance(weight, StoredTensor)
        if weight.type == "I2_S":
            if self.layout is None:
                others = " or ".join(LAYOUTS[1:])
                self.say(
                    f"I2_S is taken to have the layout {LAYOUTS[0]}, which the file does not say; else: --i2s {others}"
                )
            trits, one = decode_i2s(weight.raw(), weight.shape, self.layout or LAYOUTS[0])
            scale = np.array([one], np.float32)
        else:
            trits, scale = decode_tq(weight.type, weight.raw().reshape(spec.outputs, -1))
        beside = self.beside(spec.name).scale
        if beside:
            if scale_groups(self.tensors[beside], spec.outputs, spec.inputs):
                raise TritweaveError(
                    f"{beside} has shape {self.tensors[beside].shape}; one scale for the layer is read"
                )
            scale = scale * scale_worth(self.tensors[beside], 0, "multiply").astype(np.float32)
        return Weights(trits, scale)

    def is_ternary(self, name: str) -> bool:
        """Weights of a ternary type."""
        return self.tensors[self.weight_of(name)].type in _TERNARY


def open_gguf(path: Path, reading: Reading = NO_MORE, layout: str | None = None) -> Gguf:
    """A source from a GGUF file; `layout` is that of I2_S, which the file does not say."""
    if layout is not None:
        check_layout(layout)
    header = read_gguf_header(path)
    parts = header.metadata.get("split.count", 1)
    if parts not in (0, 1):
        raise TritweaveError(f"{path} is one of {parts} parts; join them with llama-gguf-split --merge")
    architecture = header.metadata.get("general.architecture")
    unknown = f"the architecture is {architecture!r}, known are {', '.join(ARCHITECTURES)}"
    layers, contradiction = {}, ""
    if architecture in ARCHITECTURES:
        try:
            decoder = Decoder.read(path, header.metadata, tuple(f"{architecture}.{key}" for key in _NUMBERS))
            layers = decoder.layers("blk", _NAMES)
        except TritweaveError as error:
            contradiction = str(error)
    source = Gguf(path, f"GGUF, {architecture}", header.tensors, layers, unknown, reading, contradiction)
    source.layout = layout
    return source
