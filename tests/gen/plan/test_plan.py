import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gen.plan.devices import FAMILIES, device_named
from gen.plan.plan import Fold, Plan, plan_network
from gen.plan.presets import load_network
from golden.errors import TritweaveError
from golden.network import InputType, Layer, Network


def network(*sizes: int, input_type: InputType = "uint8") -> Network:
    layers = tuple(Layer(np.ones((outputs, inputs), np.int8), 1.0, True) for inputs, outputs in pairwise(sizes))
    return Network("sized", layers, input_type)


@pytest.mark.parametrize(
    ("text", "fold"),
    [("16x16x8", Fold(16, 16, 8)), ("1x2x3", Fold(1, 2, 3)), ("4X6X2", Fold(4, 6, 2)), ("016x1x1", Fold(16, 1, 1))],
)
def test_a_fold_is_read_and_written_as_rows_columns_lanes(text: str, fold: Fold) -> None:
    assert Fold.parse(text) == fold
    assert Fold.parse(str(fold)) == fold


@pytest.mark.parametrize(
    "text", ["", "16", "16x16", "16x16x8x1", "axbxc", "16x-16x8", "16x16x", "1.5x2x1", "16 x16x8", "٣x1x1", "16×16×8"]
)
def test_anything_else_is_no_fold(text: str) -> None:
    message = f"the fold is {text!r}; write it ROWSxCOLUMNSxLANES, for example 16x16x8"
    with pytest.raises(TritweaveError, match=f"^{re.escape(message)}$"):
        Fold.parse(text)


def test_a_plan_is_the_smallest_engine_that_runs_the_network() -> None:
    config = plan_network(network(9, 7, 5), Fold(4, 6, 2), packing="3t5b", writable=False).config
    assert (config.rows, config.columns, config.lanes) == (4, 6, 2)
    assert (config.max_inputs, config.max_hidden, config.max_outputs, config.layers) == (9, 7, 5, 2)
    assert config.weight_words == 2 * 2 + 2 * 2
    assert config.correction_words == 4 + 3
    assert (config.packing, config.array, config.vectors) == ("3t5b", "portable", 2)
    assert (config.input_signed, config.writable) == (False, False)


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("max_inputs", 9),
        ("max_hidden", 7),
        ("max_outputs", 5),
        ("layers", 2),
        ("weight_words", 8),
        ("correction_words", 7),
    ],
)
def test_a_network_beyond_a_limit_of_the_engine_is_refused(name: str, needs: int) -> None:
    plan = plan_network(network(9, 7, 5), Fold(4, 6, 2))
    assert getattr(plan.config, name) == needs
    with pytest.raises(TritweaveError, match=f"^sized needs {name} {needs}; the engine has {needs - 1}$"):
        Plan(plan.network, replace(plan.config, **{name: needs - 1}))
    assert Plan(plan.network, replace(plan.config, **{name: needs + 1})).cycles.times(3) == plan.cycles.times(3)


@pytest.mark.parametrize(("taken", "has"), [("uint8", "int8"), ("int8", "uint8")])
def test_a_network_of_another_input_type_is_refused(taken: InputType, has: str) -> None:
    plan = plan_network(network(3, 2, input_type=taken), Fold(1, 1, 1))
    with pytest.raises(TritweaveError, match=f"^sized takes {taken}; the engine takes {has}$"):
        Plan(plan.network, replace(plan.config, input_signed=not plan.config.input_signed))


@pytest.mark.parametrize(
    ("fold", "message"),
    [
        (Fold(0, 1, 1), "engine: rows is 0; it must be an integer from 1 to 1024"),
        (Fold(1, 0, 1), "engine: columns is 0; it must be an integer from 1 to 1024"),
        (Fold(1, 1, 0), "engine: lanes is 0; it must be an integer from 1 to 1"),
        (Fold(4, 6, 4), "engine: columns is 6; it must be a multiple of lanes, which is 4"),
        (Fold(4, 2048, 4), "engine: columns is 2048; it must be an integer from 1 to 1024"),
    ],
)
def test_a_fold_that_no_engine_has_is_refused(fold: Fold, message: str) -> None:
    with pytest.raises(TritweaveError, match=f"^{re.escape(message)}$"):
        plan_network(network(3, 2), fold)


def test_the_image_fits_the_engine_that_was_planned() -> None:
    plan = plan_network(network(9, 7, 5), Fold(4, 6, 2), packing="5t8b")
    for name, depth in plan.config.depths.items():
        assert len(plan.image.integers(name)) == depth
    for load in plan.image.loads():
        assert load.address < list(plan.config.depths.values())[load.memory]


@pytest.mark.parametrize(
    ("family", "words", "bits", "blocks"),
    [
        # What Yosys makes of an engine's memories: results, program, quantiser, corrections.
        ("ice40", 20, 19, 2),
        ("ice40", 3, 64, 0),
        ("ice40", 880, 18, 5),
        ("ecp5", 20, 19, 0),
        ("ecp5", 81, 288, 8),
        ("ecp5", 33, 288, 0),
    ],
)
def test_small_memories_become_logic_where_that_takes_less(family: str, words: int, bits: int, blocks: int) -> None:
    assert FAMILIES[family].needed(words, bits) == blocks


def test_the_small_shipped_network_fits_an_hx8ks_block_rams_and_leaves_half_to_the_buffers() -> None:
    shipped, preset = load_network("mnist-small")
    plan = replace(plan_network(shipped, preset.fold, packing=preset.packing), family="ice40")
    device = device_named("ice40-hx8k")
    assert (plan.config.depths["weights"], sum(plan.config.transfers["weights"])) == (502, 128)
    assert FAMILIES["ice40"].needed(502, 128) == device.block_rams // 2
    assert plan.area.block_rams <= device.block_rams
