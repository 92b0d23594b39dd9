"""The static program of a decoder: the steps of a block and of the head, and what each waits for."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from rtl.transformer.config import DecoderConfig
from rtl.transformer.kinds import Element, Limit, Operation, Result, Source, Target, Unit, Wait
from rtl.transformer.steps import Steps

_SIZE, _QUERY, _ADDED, _LOGIT, _FACTORS, _LIMITS = 0, 1, 2, 3, 4, 6
"""Registers of the scalar unit: a vector's size, what a query's is worth, what sums are worth to the residual and in
log2, the factors of two heads, each head's limit."""
_NORM, _POWERS, _KEYS = 0, 1, 3
"""Peaks of the element lanes: of a norm, of two heads' softmax weights, of keys; queries follow."""
_GATE, _UP, _SCORES, _VALUES = 0, 1, 2, 4
"""Peaks of the result lanes: of gate and up, two heads' scores, values."""


class ProgramStep(NamedTuple):
    """A step of the program.

    Parameters
    ----------
    unit
        Who takes it.
    waits
        What must have come before.
    fields
        The step's fields, by their names in `Steps`; what is left out is 0.

    """

    unit: Unit
    waits: tuple[Wait, ...]
    fields: dict[str, Any]


class Program(NamedTuple):
    """The steps of a block, and those of the head."""

    block: tuple[ProgramStep, ...]
    head: tuple[ProgramStep, ...]

    @classmethod
    def of(cls, config: DecoderConfig) -> "Program":
        """The program of any model that the decoder is built for."""
        writer = _Writer(config)
        return cls((*writer.attention(), *writer.feed_forward()), tuple(writer.head()))

    @property
    def entries(self) -> int:
        """Words of its memory."""
        return len(self.block) + len(self.head)

    def words(self, config: DecoderConfig) -> list[int]:
        """The program as words of its memory."""
        return [
            _word(step, last=index == len(section) - 1, steps=Steps(config))
            for section in self
            for index, step in enumerate(section)
        ]


def _word(step: ProgramStep, *, last: bool, steps: Steps) -> int:
    entry = {
        "unit": step.unit,
        "waits": sum(1 << wait for wait in step.waits),
        "last": last,
        "region": step.fields.get("region", 0),
        "rewind": step.fields.get("rewind", 0),
        "step": _packed(steps.stored(step.unit), step.fields),
    }
    return _packed(steps.entry, entry)


def _packed(layout: Any, values: dict[str, Any]) -> int:
    """Fields as the bits of a layout; those that it has not are left out."""
    word = 0
    for name, field in layout:
        value = int(values.get(name, 0))
        if value >> field.width:
            raise AssertionError(f"{name} is {value}, which has more than {field.width} bits")
        word |= value << field.offset
    return word


class _Writer:
    """Writes the steps of one decoder."""

    def __init__(self, config: DecoderConfig):
        self.config, self.shape = config, config.shape
        self.head_words = config.words(self.shape.head)
        keys = self.shape.heads * self.head_words
        self.values = keys + self.shape.key_heads * self.head_words
        self.contexts = self.values + self.shape.key_heads * self.head_words
        self.scores = self.contexts + self.shape.heads * self.head_words
        """Where in the memory of results these begin; queries, and keys behind them, begin at 0."""
        longest = max(self.shape.hidden, self.shape.intermediate)
        self.queries = config.chunks(longest)
        self.weights = self.queries + self.shape.heads * config.chunks(self.shape.head)
        """Where among the activations these begin; vectors of linear layers begin at 0."""

    def attention(self) -> Iterator[ProgramStep]:
        """The first half of a block."""
        shape = self.shape
        yield from self._norm(Element.NORM, shape.hidden, rewind=1)
        queries = (shape.heads + shape.key_heads) * shape.head
        yield self._linear(queries, shape.hidden, Result.RAW, Wait.QUANTISER, target=0)
        for head in range(shape.key_heads):
            place = self.values + head * self.head_words
            yield self._linear(shape.head, shape.hidden, Result.RAW, target=place, peak=_VALUES + head)
        # Behind what goes to the array, which would wait for the root otherwise.
        yield _scalar(Operation.CONSTANT, register=_SIZE, target=_QUERY, rewind=1)
        yield from self._cached()
        yield from self._heads()
        yield from self._norm(Element.CONTEXT_NORM, shape.hidden, source=self.contexts)
        yield from self._residual(shape.hidden)

    def _cached(self) -> Iterator[ProgramStep]:
        """Keys and values into the caches, queries to the array."""
        shape, config = self.shape, self.config
        words = {"words": self.head_words - 1}
        # Behind queries and keys there are values on the array.
        queries = {1: Wait.ARRAY_BUT_ONE, 2: Wait.ARRAY_BUT_TWO}.get(shape.key_heads, Wait.ARRAY)
        for vector in [*range(shape.heads, shape.heads + shape.key_heads), *range(shape.heads)]:
            place = vector * self.head_words
            key = vector >= shape.heads
            peak = _KEYS + vector - shape.heads if key else _KEYS + shape.key_heads + vector
            fields = {"words": self.head_words // 2 - 1, "source": place, "target": place, "peak": peak}
            yield ProgramStep(Unit.ELEMENTS, (queries,), {"element": Element.ROTATE, **fields})
        for head in range(shape.heads):
            peak = _KEYS + shape.key_heads + head
            waits = (Wait.ELEMENTS,)
            yield _scalar(Operation.QUERY, *waits, register=_QUERY, peak=peak, target=_LIMITS + head)
        for head in range(shape.key_heads):
            source = (shape.heads + head) * self.head_words
            key = {"source": source, "peak": _KEYS + head, "limit": Limit.KEY, "target": Target.KEYS, "region": head}
            yield ProgramStep(Unit.QUANTISER, (), {**words, **key})
            value = {"source": self.values + head * self.head_words, "peak": _VALUES + head, "results": 1}
            value |= {"limit": Limit.VALUE, "target": Target.VALUES, "region": head}
            yield ProgramStep(Unit.QUANTISER, (Wait.ARRAY,), {**words, **value})
        for head in range(shape.heads):
            fields = {"source": head * self.head_words, "peak": _KEYS + shape.key_heads + head, "limit": Limit.QUERY}
            address = self.queries + head * config.chunks(shape.head)
            fields |= {"register": _LIMITS + head, "target": Target.ACTIVATIONS, "address": address}
            yield ProgramStep(Unit.QUANTISER, (Wait.SCALARS,), {**words, **fields})
        for head in range(shape.key_heads):
            yield _scalar(Operation.KEY_SCALE, register=_SIZE, peak=_KEYS + head, region=head)

    def _value_scales(self) -> Iterator[ProgramStep]:
        for head in range(self.shape.key_heads):
            place = {"results": 1, "peak": _VALUES + head, "region": head, "head": head}
            yield _scalar(Operation.VALUE_SCALE, register=_SIZE, **place)

    def _heads(self) -> Iterator[ProgramStep]:
        """Three heads at a time: scores of one, softmax of the one before, context of the one before that.

        The array finishes its steps in their order, which is that of the scores of head h + 1, the context of head
        h - 1, the scores of head h + 2, and so on. Halves of memories change hands from head h to h + 2 where a step
        of head h + 2 waits until all have read those of head h.
        """
        heads = range(self.shape.heads)
        yield self._score(0, Wait.QUANTISER, Wait.SCALARS)
        for head in heads:
            # Of the array's steps behind this head's scores, there are the next head's and a context.
            behind = (head + 1 in heads) + (head > 1)
            ready = (Wait.ARRAY, Wait.ARRAY_BUT_ONE, Wait.ARRAY_BUT_TWO)
            if head + 1 in heads:
                yield self._score(head + 1)
            if not head:
                yield from self._value_scales()
            yield self._softmax(head, ready[behind], *((Wait.SCALARS,) if not head else ()))
            if head:
                yield self._context(head - 1)
            # Now a context more; that of head - 2 must have read its weights.
            parity = head % 2
            place = {"source": self._softmax_words(parity), "peak": _POWERS + parity, "limit": Limit.ACTIVATION}
            place |= {"target": Target.ACTIVATIONS, "address": self._weight_chunks(parity), "by_chunks": 1}
            read = ready[(head + 1 in heads) + (head > 0)]
            yield ProgramStep(Unit.QUANTISER, (Wait.ELEMENTS, read), place)
            fields = {"peak": _POWERS + parity, "target": _FACTORS + parity, "head": self._key_head(head)}
            yield _scalar(Operation.FACTOR, **fields)
        yield self._context(heads[-1])

    def _score(self, head: int, *waits: Wait) -> ProgramStep:
        config, parity = self.config, head % 2
        fields = {
            "source": Source.KEYS,
            "by_tiles": 1,
            "chunks": config.chunks(self.shape.head) - 1,
            "planes": config.form.key_digits - 1,
            "activations": self.queries + head * config.chunks(self.shape.head),
            "region": self._key_head(head),
            "result": Result.SCORE,
            "target": self.scores + parity * config.score_words,
            "peak": _SCORES + parity,
            "register": _LIMITS + head,
        }
        return ProgramStep(Unit.ARRAY, waits, fields)

    def _softmax(self, head: int, *waits: Wait) -> ProgramStep:
        parity = head % 2
        fields = {
            "element": Element.POWERS,
            "source": self.scores + parity * self.config.score_words,
            "target": self._softmax_words(parity),
            "peak": _POWERS + parity,
            "scores": _SCORES + parity,
            "region": self._key_head(head),
            "head": self._key_head(head),
        }
        return ProgramStep(Unit.ELEMENTS, waits, fields)

    def _context(self, head: int) -> ProgramStep:
        config, parity = self.config, head % 2
        fields = {
            "source": Source.VALUES,
            "tiles": config.tiles(self.shape.head) - 1,
            "by_chunks": 1,
            "planes": config.form.value_digits - 1,
            "activations": self._weight_chunks(parity),
            "region": self._key_head(head),
            "result": Result.CONTEXT,
            "target": self.contexts + head * self.head_words,
            "words": self.head_words - 1,
            "register": _FACTORS + parity,
        }
        return ProgramStep(Unit.ARRAY, (Wait.QUANTISER, Wait.SCALARS), fields)

    def feed_forward(self) -> Iterator[ProgramStep]:
        """The second half of a block."""
        shape = self.shape
        yield from self._norm(Element.NORM, shape.hidden, sized=False)
        place = self.config.words(shape.intermediate)
        fields = {"target": 0, "peak": _GATE, "rectify": 1}
        yield self._linear(shape.intermediate, shape.hidden, Result.RAW, Wait.QUANTISER, **fields)
        yield self._linear(shape.intermediate, shape.hidden, Result.RAW, target=place, peak=_UP)
        words = {"words": self.config.words(shape.intermediate) - 1, "results": 1, "limit": Limit.ACTIVATION}
        gate = {**words, "peak": _GATE, "target": Target.GATE}
        yield ProgramStep(Unit.QUANTISER, (Wait.ARRAY_BUT_ONE,), gate)
        up = {**words, "source": place, "peak": _UP, "target": Target.UP}
        yield ProgramStep(Unit.QUANTISER, (Wait.ARRAY,), up)
        yield from self._norm(Element.HIDDEN_NORM, shape.intermediate)
        yield from self._residual(shape.intermediate)

    def head(self) -> Iterator[ProgramStep]:
        """Logits behind the last block."""
        yield from self._norm(Element.NORM, self.shape.hidden)
        yield _scalar(Operation.CONSTANT, register=_SIZE, target=_LOGIT)
        yield _scalar(Operation.TEMPERATURE, register=_LOGIT, target=_LOGIT)
        waits = (Wait.QUANTISER, Wait.SCALARS)
        fields = {"register": _LOGIT, "planes": self.config.form.embedding_digits - 1}
        yield self._linear(self.shape.vocabulary, self.shape.hidden, Result.LOGIT, *waits, **fields)

    def _norm(
        self, element: Element, length: int, *, source: int = 0, rewind: int = 0, sized: bool = True
    ) -> Iterator[ProgramStep]:
        """Gains, size, and the quantised vector at the array."""
        words = {"words": self.config.words(length) - 1, "peak": _NORM}
        waits = Wait.QUANTISER if element is Element.HIDDEN_NORM else Wait.ARRAY
        yield ProgramStep(Unit.ELEMENTS, (waits,), {"element": element, "source": source, "rewind": rewind, **words})
        fields = {"limit": Limit.ACTIVATION, "target": Target.ACTIVATIONS, **words}
        if sized:
            yield _scalar(Operation.ROOT, Wait.ELEMENTS, peak=_NORM, target=_SIZE)
        yield ProgramStep(Unit.QUANTISER, (Wait.ELEMENTS,), fields)

    def _linear(self, outputs: int, inputs: int, result: Result, *waits: Wait, **fields: int) -> ProgramStep:
        config = self.config
        sizes = {"tiles": config.tiles(outputs) - 1, "chunks": config.chunks(inputs) - 1}
        sizes |= {"words": config.words(outputs) - 1, "source": Source.WEIGHTS, "result": result}
        return ProgramStep(Unit.ARRAY, waits, {**sizes, **fields})

    def _residual(self, inputs: int) -> Iterator[ProgramStep]:
        yield _scalar(Operation.CONSTANT, register=_SIZE, target=_ADDED)
        waits = (Wait.QUANTISER, Wait.SCALARS)
        yield self._linear(self.shape.hidden, inputs, Result.RESIDUAL, *waits, register=_ADDED)

    def _key_head(self, head: int) -> int:
        return head // self.shape.sharing

    def _softmax_words(self, parity: int) -> int:
        return parity * self.config.score_words

    def _weight_chunks(self, parity: int) -> int:
        return self.weights + parity * self.config.chunks(self.shape.context)


def _scalar(operation: Operation, *waits: Wait, **fields: int) -> ProgramStep:
    return ProgramStep(Unit.SCALARS, waits, {"operation": operation, **fields})
