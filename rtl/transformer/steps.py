"""The closed list of steps that the sequencer gives to a decoder's units, and of shapes that pass between units."""

from enum import IntEnum

from amaranth.hdl import signed
from amaranth.lib import data

from rtl.layouts import indices
from rtl.transformer.config import DecoderConfig


class Unit(IntEnum):
    """Who takes a step."""

    ARRAY = 0
    ELEMENTS = 1
    QUANTISER = 2
    SCALARS = 3


class Wait(IntEnum):
    """What a step waits for; the first four are the numbers of units that must have nothing to do."""

    ARRAY = Unit.ARRAY
    ELEMENTS = Unit.ELEMENTS
    QUANTISER = Unit.QUANTISER
    SCALARS = Unit.SCALARS
    ARRAY_BUT_ONE = 4
    """The array has nothing to do but its last step."""
    ARRAY_BUT_TWO = 5
    """Nothing but its last two."""


class Source(IntEnum):
    """Where the array's trits come from."""

    WEIGHTS = 0
    """The next words of the weight memory, in the order of use."""
    KEYS = 1
    """The cache of keys: rows are tokens."""
    VALUES = 2
    """The cache of values: columns are tokens."""


class Result(IntEnum):
    """What becomes of a word of the array's sums."""

    RAW = 0
    """As it is, or rectified, to the memory of results."""
    SCORE = 1
    """Times the keys' scales, to the memory of results."""
    CONTEXT = 2
    """Times the head's factor, to the memory of results."""
    RESIDUAL = 3
    """Times a scalar, and added to the residual."""
    LOGIT = 4
    """To the sampler."""


class Element(IntEnum):
    """What the element lanes do."""

    NORM = 0
    """The residual times gains, and its squares, to the memory of vectors."""
    CONTEXT_NORM = 1
    """The same of contexts in the memory of results."""
    HIDDEN_NORM = 2
    """The same of relu²(gate)·up."""
    ROTATE = 3
    """A head's query or key, from the memory of results to that of vectors."""
    POWERS = 4
    """Softmax: a head's scores become weights in front of the quantiser, and their sum."""


class Limit(IntEnum):
    """What the quantiser's largest magnitude becomes."""

    ACTIVATION = 0
    """127."""
    KEY = 1
    """The largest number of a key's digits."""
    VALUE = 2
    """The largest number of a value's digits."""
    QUERY = 3
    """The mantissa of a scalar of `golden.language.format.QUERY_BITS` bits."""


class Target(IntEnum):
    """Where quantised words go."""

    ACTIVATIONS = 0
    """To the array's activations."""
    KEYS = 1
    """As digits into the cache of keys."""
    VALUES = 2
    """As digits into the cache of values."""
    GATE = 3
    """To the gates in front of relu²(gate)·up."""
    UP = 4
    """To what stands beside them."""


class Operation(IntEnum):
    """What the scalar unit does."""

    ROOT = 0
    """A vector's largest magnitude over the root of its sum of squares."""
    CONSTANT = 1
    """A scalar times the next constant."""
    QUERY = 2
    """A scalar times a vector's largest magnitude, cut to `golden.language.format.QUERY_BITS` bits."""
    KEY_SCALE = 3
    """A scalar times a vector's largest magnitude, to the scales of keys."""
    VALUE_SCALE = 4
    """The same, to the scales of values, and the peak of their exponents."""
    FACTOR = 5
    """The largest weight over the sum of powers, in the unit of the key head with the largest values."""
    TEMPERATURE = 6
    """A scalar over the temperature."""


class Steps:
    """Layouts of the steps of a decoder.

    Parameters
    ----------
    config
        The decoder.

    """

    def __init__(self, config: DecoderConfig):
        self.config = config
        shape = config.shape
        longest = max(shape.hidden, shape.intermediate, shape.vocabulary, shape.head * (shape.heads + shape.key_heads))
        self.tile = indices(max(config.tiles(longest), config.tiles(shape.context)))
        """Of a tile's number."""
        self.chunk = indices(max(config.chunks(config.longest), 1))
        """Of a chunk's number within a vector."""
        self.word = indices(max(config.words(longest), config.score_words))
        """Of a word's number within a vector."""
        chunks = config.chunks(max(shape.hidden, shape.intermediate)) + 2 * config.chunks(shape.context)
        self.activation = indices(chunks + shape.heads * config.chunks(shape.head))
        """Of a chunk's address in the memory of activations."""
        head = config.words(shape.head)
        attention = (2 * shape.heads + 2 * shape.key_heads) * head + 2 * config.score_words
        self.result = indices(max(attention, 2 * config.tiles(shape.intermediate) * config.rows // config.lanes))
        """Of a word's address in the memory of results, or of vectors."""
        self.peak = indices(2 * shape.heads + 2 * shape.key_heads + 8)
        """Of a largest magnitude, or of a sum."""
        self.register = indices(shape.heads + 8)
        """Of a scalar in the scalar unit."""
        regions = shape.blocks * shape.key_heads
        self.region = indices(regions)
        """Of a block's key head: ``block · key_heads + head``."""
        self.key_words = config.tiles(shape.context) * config.chunks(shape.head) * config.form.key_digits
        """Words of a region of the cache of keys."""
        self.value_words = config.tiles(shape.head) * config.chunks(shape.context) * config.form.value_digits
        """Words of a region of the cache of values."""

    @property
    def array(self) -> data.StructLayout:
        """A product on the array.

        ``tiles``, ``chunks``: the last one's index; ``by_tiles``, ``by_chunks``: as many as the tokens so far take
        instead; ``planes``: the last digit's index; ``activations``: the first chunk's address; ``region``: of a
        cache; ``result``, and for it: ``target``, the first word's address, ``words``, the last word's index (not for
        scores), ``rectify``, ``peak``, where the largest magnitude goes (of scores, the largest score), ``register``,
        the scalar.
        """
        return data.StructLayout(
            {
                "source": Source,
                "tiles": self.tile,
                "by_tiles": 1,
                "chunks": self.chunk,
                "by_chunks": 1,
                "planes": indices(self.config.digits),
                "activations": self.activation,
                "region": self.region,
                "result": Result,
                "target": self.result,
                "words": self.word,
                "rectify": 1,
                "peak": self.peak,
                "register": self.register,
            }
        )

    @property
    def sums(self) -> data.StructLayout:
        """A word of the array's sums, of all its planes.

        ``data``: the sums of L rows; ``index``: which word of its step it is; ``last``: whether it is the step's last;
        ``step``: the step.
        """
        sums = data.ArrayLayout(signed(self.config.accumulator), self.config.lanes)
        return data.StructLayout({"data": sums, "index": self.word, "last": 1, "step": self.array})

    @property
    def element(self) -> data.StructLayout:
        """A pass through the element lanes.

        ``words``: the last word's index (ROTATE: of half a head; POWERS: whole chunks of the tokens so far instead);
        ``source``, ``target``: addresses of the first words; ``peak``: where largest magnitude and sum go; ``scores``:
        where the largest score is; ``region``: of the values' scales; ``head``: which of a block's key heads that is;
        ``rewind``: the gains start at the first again.
        """
        return data.StructLayout(
            {
                "element": Element,
                "words": self.word,
                "source": self.result,
                "target": self.result,
                "peak": self.peak,
                "scores": self.peak,
                "head": indices(self.config.shape.key_heads),
                "region": self.region,
                "rewind": 1,
            }
        )

    @property
    def quantise(self) -> data.StructLayout:
        """A pass through the quantiser.

        ``results``: whether it reads the memory of results, and its peaks, instead of vectors'; ``words``: the last
        word's index; ``by_chunks``: whole chunks of the tokens so far instead; ``source``: the first word's address;
        ``peak``: its largest magnitude; ``limit``, ``register``; ``target``, ``address``: of the first chunk or word;
        ``region``: of a cache.
        """
        return data.StructLayout(
            {
                "results": 1,
                "words": self.word,
                "by_chunks": 1,
                "source": self.result,
                "peak": self.peak,
                "limit": Limit,
                "register": self.register,
                "target": Target,
                "address": self.activation,
                "region": self.region,
            }
        )

    @property
    def scalar(self) -> data.StructLayout:
        """A scalar.

        ``operation``; ``register``: the operand; ``results``, ``peak``: which largest magnitude (and sum), of the
        result lanes or of the element lanes; ``target``: the register of the result; ``region``: of scales; ``head``:
        which of a block's key heads that is; ``rewind``: the next constant is the first again.
        """
        return data.StructLayout(
            {
                "operation": Operation,
                "register": self.register,
                "results": 1,
                "peak": self.peak,
                "target": self.register,
                "head": indices(self.config.shape.key_heads),
                "region": self.region,
                "rewind": 1,
            }
        )

    def of(self, unit: Unit) -> data.StructLayout:
        """The layout of a unit's steps."""
        return (self.array, self.element, self.quantise, self.scalar)[unit]

    @property
    def entry(self) -> data.StructLayout:
        """An entry of the program: a step, and when it is given.

        ``unit``; ``waits``: a bit for each `Wait`; ``last``: the section's end, of a block or of the head; ``region``:
        in the step's place, plus the block's first; ``rewind``: in the step's place, in the first block; ``step``: the
        bits of all other fields in their order.
        """
        return data.StructLayout(
            {
                "unit": Unit,
                "waits": len(Wait),
                "last": 1,
                "region": self.region,
                "rewind": 1,
                "step": max(self.stored(unit).size for unit in Unit),
            }
        )

    def stored(self, unit: Unit) -> data.StructLayout:
        """What an entry's ``step`` has of a unit's steps."""
        members = self.of(unit).members
        return data.StructLayout({name: shape for name, shape in members.items() if name not in ("region", "rewind")})

    @property
    def place(self) -> data.StructLayout:
        """Where the token at hand stands: ``position``; ``tile`` and ``row`` of keys; ``chunk`` and ``column`` of
        values.
        """
        config = self.config
        return data.StructLayout(
            {
                "position": config.position,
                "tile": indices(config.tiles(config.shape.context)),
                "row": indices(config.rows),
                "chunk": indices(config.chunks(config.shape.context)),
                "column": indices(config.columns),
            }
        )
