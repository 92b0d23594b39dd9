"""The demonstration without a host on a board: MNIST test images, and the answers to them on its display."""

from typing import NamedTuple

import numpy as np

from boards.catalogue import Board
from boards.planning import lacks, top_verilog
from gen.output.hosted import flash_loader
from gen.plan.plan import Plan
from gen.plan.presets import mnist_images
from golden.errors import TritweaveError
from golden.formats import MEMORIES
from rtl.demo.showcase import Showcase
from rtl.demo.standalone import StandaloneEngine

IMAGES = 10
"""The first of the test images."""
BITS = 2
"""Kept of a pixel: fewer need less memory, and digits are nearly as well told apart."""
TICK_SECONDS = 0.125
"""Of a display's tick."""
_LUT4 = 250  # of what is beside the engine, as synthesised for `mnist-small` on iCE40


class Shown(NamedTuple):
    """Built-in images, and the model's answers to them."""

    vectors: np.ndarray
    answers: list[int]


def shown_images(plan: Plan) -> Shown:
    """What the demonstration shows, pixels cut to `BITS`."""
    inputs = plan.network.layers[0].inputs
    vectors, _ = mnist_images(IMAGES)
    if (vectors.shape[1], plan.network.input_type) != (inputs, "uint8"):
        raise TritweaveError(
            f"{plan.network.name} takes {inputs} values of {plan.network.input_type}; the demonstration has images of "
            f"{vectors.shape[1]} uint8; build it without --demo"
        )
    cut = vectors >> 8 - BITS << 8 - BITS
    return Shown(cut, plan.network.forward(cut).logits.argmax(axis=1).tolist())


def demo_verilog(board: Board, plan: Plan, *, tick_seconds: float = TICK_SECONDS) -> str:
    """The Verilog of the board's FPGA with the demonstration: module `gen.plan.plan.MODULE`."""
    config, images = plan.config, shown_images(plan)
    outputs = plan.network.layers[-1].outputs
    padded = np.pad(images.vectors, ((0, 0), (0, -images.vectors.shape[1] % config.lanes)))
    showcase = Showcase(
        padded.reshape(IMAGES, -1, config.lanes).tolist(),
        images.answers,
        element=config.element,
        bits=BITS,
        outputs=outputs,
        width=config.result_width,
    )
    core = StandaloneEngine(
        config,
        showcase,
        board.display(outputs),
        tick=round(tick_seconds * board.clock_hz),
        init={name: plan.image.integers(name) for name in MEMORIES} if board.image_offset is None else None,
        loader=None if board.image_offset is None else flash_loader(plan, board.clock_hz, board.image_offset),
    )
    return top_verilog(board, plan, core, {"images": f"{IMAGES}, {BITS} bits a pixel, answers {images.answers}"})


def demo_misfits(board: Board, plan: Plan) -> list[str]:
    """Why the demonstration does not fit the board's FPGA, see `boards.planning.lacks`."""
    return lacks(board, plan, _LUT4, [(IMAGES * plan.config.input_words, BITS * plan.config.lanes)])
