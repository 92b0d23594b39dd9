"""A language model on a board: behind its host link, or telling stories without a host."""

from collections.abc import Callable

from boards.catalogue import Board
from boards.planning import core_verilog
from gen.language.models import Speaker
from gen.language.tokenizer import Tokenizer
from gen.output.hosted_decoder import decoder_image_number, hosted_decoder, link_config
from gen.transformer.fit import Beside
from gen.transformer.plan import DecoderPlan
from golden.language.scalars import Scalars
from rtl.demo.storyteller import Storyteller

TEMPERATURE = 0.8
"""Of the stories."""
PAUSE_SECONDS = 2.0
"""Between two of them."""
_STORY_LUT4 = 400
_BETWEEN = b"\r\n\r\n"


def hosted_language_verilog(board: Board, plan: DecoderPlan, *, logits: bool = False) -> str:
    """The Verilog of the board's FPGA, a decoder with its host link: module `gen.plan.plan.MODULE`."""
    core = hosted_decoder(
        plan.decoder(), link_config(plan, logits=logits), board.uart, decoder_image_number(plan.image)
    )
    details = {"line": f"{board.baud} baud, 8 data bits, no parity, 1 stop bit", "logits": "kept" if logits else "no"}
    return core_verilog(board, core, _parameters(plan), details)


def story_verilog(board: Board, plan: DecoderPlan, speaker: Speaker, *, pause_seconds: float = PAUSE_SECONDS) -> str:
    """The Verilog of the board's FPGA that tells stories: module `gen.plan.plan.MODULE`."""
    scalar = Scalars.constant(1 / TEMPERATURE, plan.config.form.scale_bits)
    core = Storyteller(
        plan.decoder(),
        spelt_tokens(speaker.tokenizer, plan.config.shape.vocabulary, plan.model.start),
        start=plan.model.start,
        ends=plan.model.ends,
        temperature=(int(scalar.mantissa), int(scalar.exponent)),
        uart=board.uart,
        pause=round(pause_seconds * board.clock_hz),
        display=board.display.WIDTH,
        lit=board.display.BUSY,
    )
    details = {"line": f"{board.baud} baud, 8 data bits, no parity, 1 stop bit", "temperature": TEMPERATURE}
    return core_verilog(board, core, _parameters(plan), details)


def story_beside(speaker: Speaker) -> Callable[[DecoderPlan], Beside]:
    """What is beside a decoder that tells stories: foremost the table of its tokens' bytes."""

    def beside(plan: DecoderPlan) -> Beside:
        spelt = spelt_tokens(speaker.tokenizer, plan.config.shape.vocabulary, plan.model.start)
        size = sum(map(len, spelt))
        place = size.bit_length() + max(map(len, spelt)).bit_length()
        return Beside(_STORY_LUT4, [(size, 8), (len(spelt), place)])

    return beside


def spelt_tokens(tokenizer: Tokenizer, count: int, start: int) -> list[bytes]:
    """Each token's bytes as a terminal takes them, and what is between two stories for the start."""
    spelt = [tokenizer.spell(token).replace(b"\n", b"\r\n") for token in range(count)]
    spelt[start] = _BETWEEN
    return spelt


def _parameters(plan: DecoderPlan) -> dict[str, object]:
    return {"model": plan.model.name, "fold": plan.fold, "packing": plan.config.packing}
