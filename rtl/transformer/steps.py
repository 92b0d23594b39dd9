"""The closed list of steps that the sequencer gives to a decoder's units, and of shapes that pass between units."""

from amaranth.hdl import signed
from amaranth.lib import data

from rtl.layouts import indices
from rtl.transformer.config import DecoderConfig
from rtl.transformer.kinds import Element, Limit, Operation, Result, Source, Target, Unit, Wait


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
