"""Sizes of language models: built in by name, or from a config.json; and what their paper measured of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Final, NamedTuple

from gen.imports.decoder_shapes import Decoder
from gen.imports.hugging_face import NUMBERS
from golden.errors import TritweaveError
from golden.files.disk import read_bytes
from golden.files.safetensors_reader import parse_json

_LARGEST: Final = 1 << 24
"""Of any length, far above all models; it keeps products readable."""


class Layer(NamedTuple):
    """Equal linear layers."""

    blocks: int
    outputs: int
    inputs: int


@dataclass(frozen=True)
class ModelShape:
    """A decoder with its vocabulary.

    Parameters
    ----------
    name
        What it is called.
    decoder
        Its blocks.
    vocabulary
        Rows of the embedding, 1 to 2**24.
    tied
        Whether the last layer shares the embedding's weights.

    """

    name: str
    decoder: Decoder
    vocabulary: int
    tied: bool

    def __post_init__(self) -> None:
        lengths = {
            "hidden size": self.decoder.hidden,
            "intermediate size": self.decoder.intermediate,
            "length of all heads": self.decoder.heads * self.decoder.head,
            "vocabulary": self.vocabulary,
        }
        for what, length in lengths.items():
            if type(length) is not int or not 1 <= length <= _LARGEST:
                raise TritweaveError(f"{self.name}: the {what} is {length}; it must be 1 to {_LARGEST}")
        if self.decoder.by_block:
            raise TritweaveError(
                f"{self.name}: its blocks have different numbers of key heads; one number is estimated"
            )
        if self.decoder.heads % self.decoder.key_heads:
            raise TritweaveError(
                f"{self.name}: {self.decoder.heads} heads share {self.decoder.key_heads} keys; "
                "the heads must be a multiple of the keys"
            )

    @property
    def layers(self) -> Iterator[Layer]:
        """The linear layers of all blocks; the vocabulary's are not among them."""
        block = replace(self.decoder, blocks=1).layers("", ("q", "k", "v", "o", "gate", "up", "down"))
        return (Layer(self.decoder.blocks, *shape) for shape in block.values())

    @property
    def linear(self) -> int:
        """Weights of these layers; as many multiply-accumulates make a token."""
        return sum(prod(layer) for layer in self.layers)

    @property
    def others(self) -> int:
        """Weights of the embedding, the last layer and the norms, which stay in 16 bits."""
        norms = (2 * self.decoder.blocks + 1) * self.decoder.hidden
        return (1 if self.tied else 2) * self.vocabulary * self.decoder.hidden + norms

    @property
    def cache(self) -> int:
        """Bytes of keys and values for each token of context, in 16 bits."""
        return 2 * 2 * self.decoder.blocks * self.decoder.key_heads * self.decoder.head


class Published(NamedTuple):
    """What the paper of BitNet b1.58 (2402.17764) states of a size; None: nothing."""

    float_gigabytes: float | None = None
    """Table 1: memory of LLaMA in FP16."""
    ternary_gigabytes: float | None = None
    """Table 1: of BitNet b1.58, with a 2-bit kernel."""
    memory_ratio: float | None = None
    """Table 1; figure 2 for the larger sizes."""
    float_milliseconds: float | None = None
    """Table 1: time of a token of LLaMA on a GPU."""
    ternary_milliseconds: float | None = None
    """Table 1: of BitNet b1.58."""
    latency_ratio: float | None = None
    """Table 1; figure 2 for the larger sizes."""


PUBLISHED: Final = {
    "bitnet-700m": Published(2.08, 0.80, 2.60, 1.18, 0.96, 1.23),
    "bitnet-1.3b": Published(3.34, 1.14, 2.93, 1.62, 0.97, 1.67),
    "bitnet-3b": Published(7.89, 2.22, 3.55, 5.07, 1.87, 2.71),
    "bitnet-70b": Published(memory_ratio=7.16, latency_ratio=4.1),
}
"""By name of the model."""

PUBLISHED_ENERGY_RATIO: Final = 71.4
"""The paper's figure 3: arithmetic energy of matrix products, FP16 over b1.58, in 7 nm."""


def _shape(
    name: str, *sizes: *tuple[int, int, int, int, int, int], vocabulary: int = 32000, tied: bool = False
) -> ModelShape:
    return ModelShape(name, Decoder(*sizes), vocabulary, tied)


MODELS: Final = {
    model.name: model
    for model in (
        # The configurations of the reproductions 1bitLLM/bitnet_b1_58-large, -xl and -3B: the paper prints none.
        _shape("bitnet-700m", 24, 1536, 4096, 16, 16, 96, vocabulary=32002),
        _shape("bitnet-1.3b", 24, 2048, 5460, 32, 32, 64, vocabulary=32002),
        _shape("bitnet-3b", 26, 3200, 8640, 32, 32, 100, vocabulary=32002),
        # LLaMA (2302.13971) of 7B and 13B, and Llama 2 (2307.09288) of 70B.
        _shape("bitnet-7b", 32, 4096, 11008, 32, 32, 128),
        _shape("bitnet-13b", 40, 5120, 13824, 40, 40, 128),
        _shape("bitnet-70b", 80, 8192, 28672, 64, 8, 128),
        # The configuration of microsoft/bitnet-b1.58-2B-4T (2504.12285).
        _shape("bitnet-2b-4t", 30, 2560, 6912, 20, 5, 128, vocabulary=128256, tied=True),
    )
}
"""By name."""


def model_named(model: str) -> ModelShape:
    """The model of a name, or of a config.json or the folder of one."""
    if model in MODELS:
        return MODELS[model]
    path = Path(model)
    if model == "bitnet-3.9b":
        raise TritweaveError(
            "no source gives the shape of bitnet-3.9b; its paper's table 1 has 2.38 GB and 2.11 ms a token, "
            f"and a config.json can describe it. Known are {', '.join(MODELS)}"
        )
    if not path.exists():
        raise TritweaveError(f"there is no model {model!r}; it is one of {', '.join(MODELS)}, or a config.json")
    path = path / "config.json" if path.is_dir() else path
    config = parse_json(path, read_bytes(path, "configuration"))
    decoder = Decoder.read(path, config, NUMBERS)
    vocabulary = config.get("vocab_size")
    if type(vocabulary) is not int:
        raise TritweaveError(f"{path}: vocab_size is {str(vocabulary)[:80]}; it must be a positive whole number")
    tied = config.get("tie_word_embeddings", False)
    if type(tied) is not bool:
        raise TritweaveError(f"{path}: tie_word_embeddings is {str(tied)[:80]}; it must be true or false")
    return ModelShape(path.parent.name if path.name == "config.json" else path.stem, decoder, vocabulary, tied)
