"""Text made token by token, as the hardware makes it: the prompt, then each choice back in as the next input."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from golden.errors import TritweaveError
from golden.language.decoder import Decoder
from golden.language.sampler import Sampler

Reason = Literal["end token", "tokens", "context full"]
"""Why it ended: the model said so, as many as were asked for, or no place for another one."""


class Generation:
    """One sequence.

    Parameters
    ----------
    decoder
        The model.
    sampler
        How tokens are chosen.
    prompt
        Tokens, the start token first; at least one, at most as many as the context holds.
    limit
        Tokens to make at most; None: as many as the context allows.

    Iterating it makes the tokens, without the end token; then `reason` says why it ended.

    """

    def __init__(self, decoder: Decoder, sampler: Sampler, prompt: Sequence[int], limit: int | None = None):
        if not len(prompt):
            raise TritweaveError("the prompt has no tokens; the start token at least is needed")
        if limit is not None and limit < 1:
            raise TritweaveError(f"{limit} tokens are asked for; at least 1 can be made")
        decoder.model.check_tokens(np.array([prompt]))
        self._decoder, self._sampler, self._prompt, self._limit = decoder, sampler, list(prompt), limit
        self.reason: Reason | None = None

    def __iter__(self) -> Iterator[int]:
        """Tokens as they come."""
        decoder = self._decoder
        bits, context = decoder.integers.form.scale_bits, decoder.integers.shape.context
        sequences = decoder.start()
        made, taken = 0, np.array([self._prompt])
        while True:
            logits = decoder.forward(taken, sequences)
            token = self._sampler.choose(logits.last(), bits)
            if token in decoder.model.ends:
                self.reason = "end token"
                return
            yield token
            made += 1
            if made == self._limit:
                self.reason = "tokens"
                return
            if sequences.position == context:
                self.reason = "context full"
                return
            taken = np.array([[token]])
