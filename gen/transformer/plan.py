"""The plan of a decoder: a language model, the engine that is built for it, and what is known of it before."""

from dataclasses import dataclass, replace
from functools import cached_property

from gen.plan.plan import MODULE, Fold
from gen.transformer.cycles import DecoderCycles
from gen.transformer.image import decoder_image
from gen.verilog import generate
from golden.errors import TritweaveError
from golden.language.format import Shape
from golden.language.integers import IntegerModel
from golden.language.model import LanguageModel
from rtl.transformer.config import DecoderConfig
from rtl.transformer.decoder import Decoder

PACKING = "5t8b"
"""Of weights, unless something else is asked for: block RAM is what decoders lack first."""


@dataclass(frozen=True, eq=False)
class DecoderPlan:
    """A language model on an engine made for it.

    Parameters
    ----------
    model
        What it runs.
    config
        The engine, of the model's sizes; its context may be shorter.

    """

    model: LanguageModel
    config: DecoderConfig

    @cached_property
    def integers(self) -> IntegerModel:
        """The model as the engine computes it."""
        return IntegerModel.of(self.model)

    @cached_property
    def image(self) -> dict[str, list[int]]:
        """The words of its memories."""
        return decoder_image(self.integers, self.config)

    @cached_property
    def cycles(self) -> DecoderCycles:
        """Predicted cycles; simulation agrees exactly."""
        return DecoderCycles(self.config)

    def token_cycles(self, position: int, *, sample: bool) -> int:
        """Predicted cycles from a token's being taken until the next one can be, its choice being taken at once."""
        return self.cycles.token(position, sample=sample).total

    @property
    def fold(self) -> Fold:
        """How the engine is folded."""
        return Fold(self.config.rows, self.config.columns, self.config.lanes)

    def decoder(self, *, initialised: bool = True) -> Decoder:
        """The hardware, with the image as its memories' initial contents, or with empty memories."""
        return Decoder(self.config, self.cycles.program.entries, self.image if initialised else {})

    def verilog(self, *, initialised: bool = True, name: str = MODULE) -> str:
        """The decoder's Verilog."""
        shape, config = self.config.shape, self.config
        parameters = {
            "model": self.model.name if initialised else "none, loaded at run time",
            "array": f"exact, {config.rows} rows x {config.columns} columns",
            "lanes": config.lanes,
            "packing": config.packing,
            "tokens": f"{shape.vocabulary}, of which {shape.context} are cached",
            "digits": ", ".join(f"{digits} of {what}" for what, digits in self._digits()),
            "cycles": f"{self.cycles.token(0).total} for the first token, "
            f"{self.cycles.token(shape.context - 1).total} for the last that fits",
        }
        return generate(self.decoder(initialised=initialised), name, parameters, "")

    def _digits(self) -> list[tuple[str, int]]:
        form = self.config.form
        return [("embedding", form.embedding_digits), ("keys", form.key_digits), ("values", form.value_digits)]


def default_fold(shape: Shape) -> Fold:
    """A fold that a decoder for no device in particular gets."""
    return Fold(16, 16, next(lanes for lanes in (8, 4, 2, 1) if shape.head // 2 % lanes == 0))


def plan_decoder(
    model: LanguageModel,
    fold: Fold | None = None,
    *,
    packing: str = PACKING,
    array: str = "exact",
    context: int | None = None,
) -> DecoderPlan:
    """The engine of a fold for a model.

    Parameters
    ----------
    model
        A ternary language model.
    fold
        R, C and L; None: `default_fold`.
    packing
        How weights are stored.
    array
        Implementation of the array, one of `rtl.array.EXACT_ARRAYS`.
    context
        Tokens that the caches hold; None: as many as the model knows.

    """
    known = model.shape.context
    if context is not None and not 1 <= context <= known:
        raise TritweaveError(f"the context is {context} tokens; {model.name} knows 1 to {known}")
    integers, fold = IntegerModel.of(model), fold or default_fold(model.shape)
    config = DecoderConfig(
        replace(model.shape, context=context or known),
        model.form,
        fold.rows,
        fold.columns,
        fold.lanes,
        packing,
        array=array,
        epsilon=integers.epsilon,
        scalar_pace=1 + (model.form.scale_bits % 2 == 0),
    )
    # As many logits a cycle as it takes to keep up with the array.
    tile = config.chunks(config.shape.hidden) * config.form.embedding_digits
    choices = [count for count in range(1, fold.lanes + 1) if fold.lanes % count == 0]
    config = replace(config, choices=next((count for count in choices if fold.rows <= count * tile), fold.lanes))
    return DecoderPlan(model, config)
