# amaranth: UnusedElaboratable=no
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from golden.language.embedding import embedded
from golden.language.format import LanguageFormat, Shape, levels
from golden.trits import pack, packing_named
from rtl.transformer.array_unit import ArrayUnit
from rtl.transformer.config import DecoderConfig
from rtl.transformer.embedding_reader import EmbeddingReader
from rtl.transformer.kinds import Result, Source
from rtl.transformer.steps import Steps
from sim.pysim import Bench, Driver

SHAPE = Shape(vocabulary=11, hidden=16, blocks=2, heads=2, key_heads=1, head=8, intermediate=20, context=9)
WATCHED = ("step.ready", "busy", "more", "o.valid", "o.payload", "reading", "embedding.valid", "embedding.payload")
FIELDS = ("result", "target", "words", "by_tiles", "rectify", "peak", "register")


class Step(NamedTuple):
    """A step: its fields, what the array's words hold for it, and what its timing is made of."""

    fields: dict[str, int]
    sums: NDArray[np.int64]
    sizes: dict[str, int]


class Contents:
    """What all memories of a unit hold, at random, and the token at hand."""

    def __init__(self, config: DecoderConfig, position: int, seed: int):
        self.config, self.position = config, position
        self.random = random = np.random.default_rng(seed)
        shape, form, cells = config.shape, config.form, (config.rows, config.columns)
        self.weights = random.integers(-1, 2, (config.linear_words + config.head_words, *cells)).astype(np.int8)
        self.activations = random.integers(-127, 128, (len(Steps(config).activation), config.columns))
        regions = shape.blocks * shape.key_heads
        # The caches have something beyond the present token, too: what an earlier sequence left.
        size = (shape.context, regions, shape.head)
        self.keys, self.values = (
            random.integers(-levels(digits), levels(digits) + 1, size)
            for digits in (form.key_digits, form.value_digits)
        )
        self.pointer = 0

    @property
    def packed(self) -> list[int]:
        words = pack(self.weights.reshape(len(self.weights), -1), packing_named(self.config.packing))
        return [int.from_bytes(word.tobytes(), "little") for word in words]

    def place(self, position: int) -> dict[str, int]:
        tile, row = divmod(position, self.config.rows)
        chunk, column = divmod(position, self.config.columns)
        return {"position": position, "tile": tile, "row": row, "chunk": chunk, "column": column}

    def vector(self, address: int, chunks: int) -> NDArray[np.int64]:
        return self.activations[address : address + chunks].reshape(-1)

    def embedding(self) -> NDArray[np.int8]:
        """All rows, of the head's words."""
        config, shape = self.config, self.config.shape
        digits = config.form.embedding_digits
        tiles, chunks = config.tiles(shape.vocabulary), config.chunks(shape.hidden)
        planes = self.weights[config.linear_words :].reshape(tiles, digits, chunks, config.rows, config.columns)
        numbers = np.einsum("tpkrc,p->trkc", planes, 3 ** np.arange(digits)[::-1])
        rows = numbers.reshape(tiles * config.rows, chunks * config.columns)
        return rows[:, : shape.hidden].astype(np.int8)

    def linear(self, tiles: int, chunks: int, planes: int, result: Result, spare: int) -> Step:
        """A step on the next weights; `spare` words of the last tile are not wanted."""
        config, count = self.config, tiles * chunks * planes
        words = self.weights[self.pointer : self.pointer + count].astype(np.int64)
        words = words.reshape(tiles, planes, chunks, config.rows, config.columns)
        self.pointer += count
        address = self.address(chunks)
        numbers = np.einsum("tpkrc,p->tkrc", words, 3 ** np.arange(planes)[::-1])
        sums = np.einsum("tkrc,kc->tr", numbers, self.activations[address : address + chunks]).reshape(-1)
        per_tile = config.rows // config.lanes
        wanted = tiles * per_tile - spare % per_tile
        fields = {"source": Source.WEIGHTS, "tiles": tiles - 1, "chunks": chunks - 1, "planes": planes - 1}
        fields |= {"activations": address, "words": wanted - 1}
        return self.step(fields, sums, result, tiles, chunks, planes, wanted)

    def scores(self, region: int) -> Step:
        config, shape, planes = self.config, self.config.shape, self.config.form.key_digits
        chunks, tiles = config.chunks(shape.head), self.position // config.rows + 1
        address = self.address(chunks)
        keys = np.zeros((config.tiles(shape.context) * config.rows, chunks * config.columns), np.int64)
        keys[: shape.context, : shape.head] = self.keys[:, region]
        sums = (keys @ self.vector(address, chunks))[: tiles * config.rows]
        fields = {"source": Source.KEYS, "by_tiles": 1, "chunks": chunks - 1, "planes": planes - 1}
        # What the number of tiles replaces may be anything.
        fields |= {"activations": address, "region": region, "tiles": 0, "words": 0}
        return self.step(fields, sums, Result.SCORE, tiles, chunks, planes, len(sums) // config.lanes)

    def context(self, region: int) -> Step:
        config, shape, planes = self.config, self.config.shape, self.config.form.value_digits
        tiles, chunks = config.tiles(shape.head), self.position // config.columns + 1
        address = self.address(chunks)
        values = np.zeros((max(shape.context, chunks * config.columns), tiles * config.rows), np.int64)
        values[: shape.context, : shape.head] = self.values[:, region]
        sums = self.vector(address, chunks) @ values[: chunks * config.columns]
        words = config.words(shape.head)
        fields = {"source": Source.VALUES, "tiles": tiles - 1, "by_chunks": 1, "planes": planes - 1}
        fields |= {"activations": address, "region": region, "words": words - 1, "chunks": 0}
        return self.step(fields, sums[: shape.head], Result.CONTEXT, tiles, chunks, planes, words)

    def address(self, chunks: int) -> int:
        return int(self.random.integers(len(self.activations) - chunks + 1))

    def step(
        self,
        fields: dict[str, int],
        sums: NDArray[np.int64],
        result: Result,
        tiles: int,
        chunks: int,
        planes: int,
        words: int,
    ) -> Step:
        free = {name: int(self.random.integers(2)) for name in ("rectify", "peak", "register")}
        fields = {"by_tiles": 0, "by_chunks": 0, "region": 0, "target": 1, "result": result, **fields, **free}
        sizes = {"tiles": tiles, "chunks": chunks, "planes": planes, "words": words}
        return Step(fields, sums[: words * self.config.lanes], sizes)


class Run:
    """Memories filled, a token read, and steps given as soon as they are taken, or as late as their gaps say."""

    def __init__(self, contents: Contents, made: list[Step], gaps: list[int], answer: int, token: int):
        self.contents, self.made, self.gaps, self.answer, self.token = contents, made, gaps, answer, token
        self.accepted: list[int] = []
        self.taken = 0
        self.words: list[tuple[int, dict[str, Any]]] = []
        self.residual: list[dict[str, Any]] = []
        self.pending: list[tuple[int, int]] = []
        unit = ArrayUnit(contents.config, contents.packed)
        bench = Bench(unit, limit=10_000)
        bench.play(self.driver(), *WATCHED)
        bench.run()

    def driver(self) -> Driver:
        yield from self.filling()
        yield from self.reading()
        yield from self.stepping()

    def filling(self) -> Driver:
        config, contents = self.contents.config, self.contents
        lanes = config.lanes
        for chunk, values in enumerate(contents.activations.tolist()):
            for group in range(config.columns // lanes):
                part = values[group * lanes : (group + 1) * lanes]
                yield {"activations.valid": 1, "activations.payload": {"data": part, "chunk": chunk, "group": group}}
        yield {"activations.valid": 0}
        kinds = (
            ("keys", contents.keys, config.form.key_digits),
            ("values", contents.values, config.form.value_digits),
        )
        for position in range(config.shape.context):
            yield {"place": contents.place(position)}
            for name, numbers, digits in kinds:
                for region, row in enumerate(numbers[position].tolist()):
                    for word in range(config.words(config.shape.head)):
                        part = row[word * lanes : (word + 1) * lanes]
                        yield {f"{name}.valid": 1, f"{name}.payload": {"data": part, "word": word, "region": region}}
                        for _ in range(digits - 1):
                            yield {f"{name}.valid": 0}
                yield {f"{name}.valid": 0}
            for _ in range(max(digits for _, _, digits in kinds)):
                yield {}
        yield {"place": contents.place(contents.position)}

    def reading(self) -> Driver:
        """Exactly as many cycles as the reader says."""
        cycles = EmbeddingReader.timing(self.contents.config).done
        for cycle in range(cycles + 2):
            seen = yield {"token.valid": cycle == 0, "token.payload": self.token, "rewind": cycle == 0}
            assert seen["reading"] == (0 < cycle < cycles)
            if seen["embedding.valid"]:
                self.residual.append(seen["embedding.payload"])

    def stepping(self) -> Driver:
        cycle, answers, gap = 0, {}, 0
        inputs: dict[str, Any] = {"rewind": 0}
        ended = 0
        while ended < len(self.made):
            offered = len(self.accepted) < len(self.made) and gap == 0
            inputs["step.valid"] = offered
            if offered:
                inputs["step.payload"] = self.made[len(self.accepted)].fields
            inputs["finished"] = answers.pop(cycle, 0)
            seen = yield inputs
            ended += inputs["finished"]
            self.pending.append((seen["busy"], seen["more"]))
            gap = max(gap - 1, 0)
            if offered and seen["step.ready"]:
                self.accepted.append(cycle)
                gap = self.gaps[len(self.accepted) % len(self.gaps)]
            if seen["o.valid"]:
                self.words.append((cycle, seen["o.payload"]))
                if seen["o.payload"]["last"]:
                    answers[cycle + self.answer] = 1
            cycle += 1
        seen = yield {"finished": 0}
        self.pending.append((seen["busy"], seen["more"]))

    def check(self) -> None:
        config = self.contents.config
        row = embedded(self.contents.embedding(), np.array([self.token]), config.form.fraction_bits)[0]
        assert [word["address"] for word in self.residual] == list(range(config.words(config.shape.hidden)))
        assert [value for word in self.residual for value in word["data"]] == row.tolist()

        words, free, pending = iter(self.words), 0, np.zeros(len(self.pending), int)
        for step, accepted in zip(self.made, self.accepted, strict=True):
            assert accepted >= free
            if self.gaps == [0]:
                assert accepted == free
            timing = ArrayUnit.timing(config, Result(step.fields["result"]), **step.sizes, answer=self.answer)
            free = accepted + timing.walk
            pending[accepted + 1 : accepted + timing.done] += 1
            mine = [next(words) for _ in range(step.sizes["words"])]
            assert [value for _, word in mine for value in word["data"]] == step.sums.tolist()
            for index, (_, word) in enumerate(mine):
                assert (word["index"], word["last"]) == (index, index == len(mine) - 1)
                assert {name: word["step"][name] for name in FIELDS} == {name: step.fields[name] for name in FIELDS}
            assert mine[-1][0] == accepted + timing.done - 1 - self.answer
        assert next(words, None) is None
        assert self.pending == [(count > 0, (count > 1) + 2 * (count > 2)) for count in pending]


@st.composite
def configs(draw: st.DrawFn) -> DecoderConfig:
    lanes = draw(st.sampled_from((1, 2, 4)))
    digits = {name: draw(st.integers(1, 5)) for name in ("embedding_digits", "key_digits", "value_digits")}
    return DecoderConfig(
        replace(SHAPE, key_heads=draw(st.sampled_from((1, 2)))),
        LanguageFormat(**digits),
        rows=lanes * draw(st.integers(1, 12 // lanes)),
        columns=lanes * draw(st.integers(1, 12 // lanes)),
        lanes=lanes,
        packing=draw(st.sampled_from(("2b", "3t5b", "5t8b"))),
        choices=draw(st.sampled_from([count for count in (1, 2, 4) if count <= lanes])),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, ...]:
    config = draw(configs())
    shape, form = config.shape, config.form
    position = draw(st.integers(0, shape.context - 1))
    contents = Contents(config, position, draw(st.integers(0, 2**16)))
    made = []
    region = st.integers(0, shape.blocks * shape.key_heads - 1)
    for kind in draw(
        st.lists(st.sampled_from(("linear", "long", "logit", "scores", "context")), min_size=1, max_size=7)
    ):
        if kind == "scores":
            made.append(contents.scores(draw(region)))
        elif kind == "context":
            made.append(contents.context(draw(region)))
        else:
            longest = config.longest if kind == "long" else shape.hidden
            tiles = config.tiles(shape.hidden)
            sizes = (draw(st.integers(1, min(tiles, 3))), draw(st.integers(1, config.chunks(longest))))
            planes = draw(st.integers(1, form.embedding_digits)) if kind == "logit" else 1
            result = Result.LOGIT if kind == "logit" else draw(st.sampled_from((Result.RAW, Result.RESIDUAL)))
            if contents.pointer + sizes[0] * sizes[1] * planes <= len(contents.weights):
                made.append(contents.linear(*sizes, planes, result, draw(st.integers(0, 20))))
    gaps = draw(st.sampled_from(([0], [0, 5, 1], [30])))
    return (contents, made, gaps, draw(st.integers(1, 6)), draw(st.integers(0, shape.vocabulary - 1)))


@settings(max_examples=10, deadline=None)
@given(case=cases())
def test_words_are_the_products_in_the_cycles_that_are_stated(case: tuple[Any, ...]) -> None:
    Run(*case).check()
