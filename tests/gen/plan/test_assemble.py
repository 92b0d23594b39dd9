from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.plan.assemble import assemble
from gen.plan.plan import Fold, plan_network
from golden.files.image import LayerProgram, MemoryImage
from golden.formats import OFFSET_BINARY, PACKINGS
from golden.network import Layer, Network

LAYER = Layer(np.array([[1, -1, 0], [0, 0, -1], [-1, -1, -1]], np.int8), 1.0, True)
SMALL = Fold(2, 2, 1)


def image_of(*layers: Layer, fold: Fold = SMALL, packing: str = "2b", array: str = "portable") -> MemoryImage:
    network = Network("tiny", layers)
    return assemble(network, plan_network(network, fold, packing=packing, array=array).config)


def test_a_layer_is_laid_out_tile_by_tile_and_chunk_by_chunk_padded_with_zeros() -> None:
    assert image_of(LAYER).weights.tolist() == [
        [1, -1, 0, 0],  # rows 0 and 1, columns 0 and 1
        [0, 0, -1, 0],  # rows 0 and 1, column 2
        [-1, -1, 0, 0],  # row 2, columns 0 and 1
        [-1, 0, 0, 0],  # row 2, column 2
    ]


@pytest.mark.parametrize(
    ("packing", "words"),
    [
        ("2b", [0b00_00_11_01, 0b00_11_00_00, 0b00_00_11_11, 0b00_00_00_11]),
        # A group of three and a group of one: t0 below the code of (t1, t2); an escape (10) where that pair is (0, 0).
        ("3t5b", [0b00010_001_01, 0b00010_111_00, 0b00010_001_11, 0b00010_011_10]),
    ],
)
def test_the_words_of_a_layer_are_these(packing: str, words: list[int]) -> None:
    assert image_of(LAYER, packing=packing).integers("weights") == words


def test_the_corrections_are_the_minus_ones_of_each_row_one_word_a_result_word() -> None:
    assert image_of(LAYER).corrections.tolist() == [[1], [1], [3]]
    assert image_of(LAYER, fold=Fold(2, 2, 2)).corrections.tolist() == [[1, 1], [3, 0]]
    assert image_of(LAYER, LAYER, fold=Fold(2, 2, 2)).corrections.tolist() == [[1, 1], [3, 0]] * 2


def test_the_corrections_for_offset_binary_weigh_ones_of_either_sign() -> None:
    image = image_of(LAYER, fold=Fold(2, 2, 2), array="ecp5")
    assert image.geometry.correction is OFFSET_BINARY
    assert image.corrections.tolist() == [[-128 - 127, -127], [3 * -127, 0]]


def test_the_program_counts_from_zero_and_ends_with_the_final_layer() -> None:
    narrow = Layer(np.ones((1, 3), np.int8), 1.0, False)
    assert image_of(LAYER, narrow, fold=Fold(2, 2, 2)).program == (
        LayerProgram(last_input=1, last_chunk=1, last_tile=1, last_drain=0, relu=True, final=False),
        LayerProgram(last_input=1, last_chunk=1, last_tile=0, last_drain=0, relu=False, final=True),
    )
    assert image_of(LAYER, narrow, fold=Fold(4, 2, 1)).program == (
        LayerProgram(last_input=2, last_chunk=1, last_tile=0, last_drain=2, relu=True, final=False),
        LayerProgram(last_input=2, last_chunk=1, last_tile=0, last_drain=0, relu=False, final=True),
    )


def test_the_program_words_hold_their_fields_from_the_lowest_bits() -> None:
    expected = 2 | 1 << 16 | 1 << 32 | 0 << 48 | 1 << 62 | 1 << 63
    assert image_of(LAYER).integers("program") == [expected]


def test_a_layer_that_is_used_twice_is_final_only_at_the_end() -> None:
    assert [layer.final for layer in image_of(LAYER, LAYER).program] == [False, True]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 13), min_size=2, max_size=4),
    lanes=st.integers(1, 3),
    words=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    packing=st.sampled_from(sorted(PACKINGS)),
    seed=st.integers(0, 2**16),
)
def test_every_weight_is_in_its_place_and_the_file_reads_back(
    sizes: list[int], lanes: int, words: tuple[int, int], packing: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    layers = tuple(
        Layer(random.integers(-1, 2, (outputs, inputs)).astype(np.int8), 1.0, bool(random.integers(2)))
        for inputs, outputs in pairwise(sizes)
    )
    fold = Fold(lanes * words[0], lanes * words[1], lanes)
    image = image_of(*layers, fold=fold, packing=packing)
    word = 0
    for layer in layers:
        for top in range(0, layer.outputs, fold.rows):
            for left in range(0, layer.inputs, fold.columns):
                block = np.zeros((fold.rows, fold.columns), np.int8)
                part = layer.weights[top : top + fold.rows, left : left + fold.columns]
                block[: part.shape[0], : part.shape[1]] = part
                assert image.weights[word].tolist() == block.ravel().tolist()
                word += 1
    assert word == len(image.weights)
    read = MemoryImage.from_bytes(image.to_bytes())
    assert (read.geometry, read.program) == (image.geometry, image.program)
    assert read.weights.tolist() == image.weights.tolist()
    assert read.corrections.tolist() == image.corrections.tolist()
