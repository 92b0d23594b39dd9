# amaranth: UnusedElaboratable=no
from dataclasses import replace

import numpy as np
import pytest

from gen.plan.plan import Fold
from gen.transformer.plan import DecoderPlan, plan_decoder
from golden.errors import TritweaveError
from golden.language.format import LanguageFormat, Shape
from golden.trits import packing_named, unpack
from rtl.transformer.kinds import Unit
from rtl.transformer.steps import Steps
from support.language_models import random_model

SHAPE = Shape(vocabulary=11, hidden=16, blocks=2, heads=4, key_heads=2, head=4, intermediate=10, context=9)


def plan(packing: str = "5t8b") -> DecoderPlan:
    return plan_decoder(random_model(SHAPE, LanguageFormat(4, 3, 2)), Fold(4, 8, 2), packing=packing)


@pytest.mark.parametrize("packing", ["2b", "3t5b", "5t8b"])
def test_weights_lie_in_the_order_of_their_use(packing: str) -> None:
    made = plan(packing)
    words = made.image["weights"]
    assert len(words) == made.config.linear_words + made.config.head_words
    code = packing_named(packing)
    size = -(-code.word_bits(32) // 8)
    trits = unpack(np.array([list(word.to_bytes(size, "little")) for word in words], np.uint8), 32, code)
    tiles = trits.reshape(-1, 4, 8)
    block = made.integers.blocks[0]
    queries = block.attention[:24]
    assert np.array_equal(np.block([[tiles[0], tiles[1]], [tiles[2], tiles[3]]]), queries[:8])
    values = tiles[2 * 6 : 2 * 7]
    assert np.array_equal(np.hstack(list(values)), block.attention[24:28])
    # A tile of the head: four digits, the highest first, of two chunks each.
    first = [np.hstack(list(tiles[made.config.linear_words + 2 * digit :][:2])) for digit in range(4)]
    assert np.array_equal(
        sum(3 ** (3 - digit) * plane for digit, plane in enumerate(first)), made.integers.embedding[:4]
    )


def test_other_memories_hold_what_their_readers_take() -> None:
    made = plan()
    image, block = made.image, made.integers.blocks[0]
    bits = made.model.form.gain_bits + 1
    gain = image["gains"][1]
    assert [gain & (1 << bits) - 1, gain >> bits] == [
        int(value) % (1 << bits) for value in block.attention_gains.values[2:4]
    ]
    assert len(image["gains"]) == 2 * (3 * 8 + 5) + 8
    rotation, bits = image["rotations"][1], made.model.form.rotation_bits + 2
    cosines, sines = made.integers.rotation.cosines, made.integers.rotation.sines
    assert rotation == sum(
        (int(value) % (1 << bits)) << place * bits
        for place, value in enumerate([cosines[1, 0], sines[1, 0], cosines[1, 1], sines[1, 1]])
    )
    constants = [
        scalar for block in made.integers.blocks for scalar in (block.score, block.output_scale, block.down_scale)
    ]
    assert len(image["constants"]) == len(constants) + 1
    for word, scalar in zip(image["constants"], constants, strict=False):
        exponent = word >> made.model.form.scale_bits
        assert word & (1 << made.model.form.scale_bits) - 1 == scalar.mantissa
        assert exponent - (exponent >> 8 << 9) == scalar.exponent


def test_the_program_walks_units_in_the_order_of_its_steps() -> None:
    made = plan()
    entry, stored = Steps(made.config).entry, made.cycles.program
    steps = [*stored.block, *stored.head]
    for word, step in zip(made.image["program"], steps, strict=True):
        unit = word & 3
        assert Unit(unit) is step.unit
        waits = word >> entry["waits"].offset & (1 << entry["waits"].width) - 1
        assert [bit for bit in range(8) if waits >> bit & 1] == sorted(step.waits)
    ends = [index for index, word in enumerate(made.image["program"]) if word >> entry["last"].offset & 1]
    assert ends == [len(stored.block) - 1, len(steps) - 1]


def test_a_context_or_a_position_that_does_not_fit_is_named() -> None:
    model = random_model(SHAPE, LanguageFormat(3, 3, 3))
    with pytest.raises(TritweaveError, match="the context is 10 tokens; random knows 1 to 9"):
        plan_decoder(model, Fold(4, 4, 2), context=10)
    with pytest.raises(TritweaveError, match="the position is 4; the context of this decoder has 0 to 3"):
        plan_decoder(model, Fold(4, 4, 2), context=4).cycles.token(4)


def test_a_constant_too_large_for_a_scalar_is_named() -> None:
    model = random_model(SHAPE, LanguageFormat(3, 3, 3))
    block = model.blocks[0]
    large = replace(model, blocks=(block._replace(output=block.output._replace(scale=2.0**90)), *model.blocks[1:]))
    with pytest.raises(TritweaveError, match="engines hold exponents up to 60"):
        _ = plan_decoder(large, Fold(4, 4, 2)).image
