"""A language model's folder in the layout of Hugging Face: config.json and model.safetensors."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import TritweaveError
from golden.files.disk import read_bytes
from golden.files.packing_hf import decode_hf, packed_rows
from golden.files.safetensors_reader import parse_json, read_safetensors_header
from golden.files.stored import StoredTensor
from golden.language.configuration import Configuration
from golden.language.format import levels
from golden.language.model import Block, LanguageModel, Matrix
from golden.quantise import check_finite, quantise_weights
from golden.trits import check_trits

CONFIGURATION = "config.json"
TENSORS = "model.safetensors"
TOKENIZER = "tokenizer.json"

_TOLERANCE = 1e-3
"""How far a stored embedding may be from whole digits, in units of one."""


def read_language_model(folder: Path) -> LanguageModel:
    """The model, with every tensor checked: shape, finite, and none that an engine would leave out."""
    if not folder.is_dir():
        raise TritweaveError(f"{folder} is no folder; a language model is one, with {CONFIGURATION} and {TENSORS}")
    path = folder / CONFIGURATION
    config = Configuration.of(path, parse_json(path, read_bytes(path, "configuration")))
    shape = config.shape
    tensors = _Tensors(folder / TENSORS, config)
    keys = shape.key_heads * shape.head
    blocks = []
    for index in range(shape.blocks):
        layer, attention, forward = (f"model.layers.{index}.{part}" for part in ("", "self_attn.", "mlp."))
        blocks.append(
            Block(
                attention_gains=tensors.floats(f"{layer}input_layernorm.weight", shape.hidden),
                query=tensors.matrix(f"{attention}q_proj", shape.hidden, shape.hidden),
                key=tensors.matrix(f"{attention}k_proj", keys, shape.hidden),
                value=tensors.matrix(f"{attention}v_proj", keys, shape.hidden),
                context_gains=tensors.floats(f"{attention}attn_sub_norm.weight", shape.hidden),
                output=tensors.matrix(f"{attention}o_proj", shape.hidden, shape.hidden),
                forward_gains=tensors.floats(f"{layer}post_attention_layernorm.weight", shape.hidden),
                gate=tensors.matrix(f"{forward}gate_proj", shape.intermediate, shape.hidden),
                up=tensors.matrix(f"{forward}up_proj", shape.intermediate, shape.hidden),
                hidden_gains=tensors.floats(f"{forward}ffn_sub_norm.weight", shape.intermediate),
                down=tensors.matrix(f"{forward}down_proj", shape.hidden, shape.intermediate),
            )
        )
    embedding = tensors.floats("model.embed_tokens.weight", shape.vocabulary, shape.hidden)
    final = tensors.floats("model.norm.weight", shape.hidden)
    tensors.check_rest()
    return LanguageModel(
        name=folder.resolve().name,
        shape=shape,
        form=config.form,
        embedding=embedding,
        blocks=tuple(blocks),
        final_gains=final,
        epsilon=config.epsilon,
        base=config.base,
        start=config.start,
        ends=config.ends,
        step=_embedding_step(tensors.path, embedding, config),
    )


class _Tensors:
    """The tensors of a file, each taken once."""

    def __init__(self, path: Path, config: Configuration):
        self.path, self._weights = path, config.weights
        self._left = read_safetensors_header(path).tensors

    def floats(self, name: str, *shape: int) -> NDArray[np.float32]:
        """A tensor of finite floats as float32."""
        tensor = self._take(name, shape)
        try:
            # What float32 cannot hold becomes infinite, and is refused.
            with np.errstate(over="ignore"):
                values = tensor.array().astype(np.float32)
            check_finite(values, name)
        except TritweaveError as error:
            raise TritweaveError(f"{self.path}: {error}") from error
        return values

    def matrix(self, name: str, outputs: int, inputs: int) -> Matrix:
        """A linear layer's weights, as the configuration says."""
        weight = f"{name}.weight"
        if f"{name}.bias" in self._left:
            raise TritweaveError(f"{self.path} has {name}.bias; an engine's linear layers have no biases")
        if self._weights == "floats":
            return Matrix(self.floats(weight, outputs, inputs), 1.0)
        if self._weights == "latent":
            return Matrix(*quantise_weights(self.floats(weight, outputs, inputs)))
        packed = weight in self._left and self._left[weight].type == "U8"
        tensor = self._take(weight, (packed_rows(outputs) if packed else outputs, inputs))
        try:
            trits = decode_hf(tensor.array(), outputs) if packed else check_trits(tensor.array())
        except TritweaveError as error:
            raise TritweaveError(f"{self.path}: {weight}: {error}") from error
        scale = float(self.floats(f"{name}.weight_scale", 1)[0])
        if scale <= 0:
            raise TritweaveError(f"{self.path}: {name}.weight_scale is {scale}; it must be above 0")
        return Matrix(trits, 1 / scale if self._weights == "divide" else scale)

    def check_rest(self) -> None:
        """Raise if a tensor is left that changes the result; a tied head's copy and angles do not."""
        known = ("lm_head.weight", ".inv_freq")
        if rest := sorted(name for name in self._left if not name.endswith(known)):
            raise TritweaveError(f"{self.path} has {rest[0]}, which is no part of a model that an engine holds")

    def _take(self, name: str, shape: tuple[int, ...]) -> StoredTensor:
        if name not in self._left:
            norms = " (models without sub-norms cannot be held)" if "sub_norm" in name else ""
            raise TritweaveError(f"{self.path} lacks {name}, which the configuration announces{norms}")
        tensor = self._left.pop(name)
        if tensor.shape != shape:
            raise TritweaveError(
                f"{self.path}: {name} has shape {tensor.shape}; the configuration makes it {list(shape)}"
            )
        return tensor


def _embedding_step(path: Path, embedding: NDArray[Any], config: Configuration) -> float | None:
    """What a unit of the digits is worth; with a given one, the embedding must be whole numbers of them."""
    limit = levels(config.form.embedding_digits)
    if config.scale is not None:
        digits = embedding.astype(np.float64) / config.scale
        off = np.abs(digits - np.rint(digits).clip(-limit, limit))
        if off.max() > _TOLERANCE:
            token, place = (int(index) for index in np.unravel_index(off.argmax(), off.shape))
            raise TritweaveError(
                f"{path}: the embedding of token {token} has {embedding[token, place]} at {place}, which is no number "
                f"of {config.form.embedding_digits} digits worth {config.scale} each"
            )
        return config.scale
    if config.clip is not None:
        size = float(np.sqrt(np.mean(np.square(embedding, dtype=np.float64))))
        return config.clip * max(size, float(np.finfo(np.float32).tiny)) / limit
    return None
