"""Which decoder goes on a board: the fold, whether it fits, and what is said of it."""

from collections.abc import Callable

from boards.catalogue import BOARDS, Board
from gen.plan.plan import Fold
from gen.transformer.fit import Beside, array_for, fit_decoder, host_link, lacks
from gen.transformer.plan import PACKING, DecoderPlan, plan_decoder
from golden.errors import TritweaveError
from golden.language.model import LanguageModel


def language_plan_for(
    board: Board,
    model: LanguageModel,
    fold: Fold | None = None,
    packing: str | None = None,
    context: int | None = None,
    *,
    beside: Callable[[DecoderPlan], Beside] = host_link,
) -> DecoderPlan:
    """A model on the board's decoder: of a fold, or of the fastest one that fits with what is beside it."""
    if fold is None:
        known = {name: one.device for name, one in BOARDS.items()}
        return fit_decoder(model, board.device, packing=packing, context=context, beside=beside, known=known)
    array = array_for(board.device.family)
    return plan_decoder(model, fold, packing=packing or PACKING, array=array, context=context)


def check_language_fit(board: Board, plan: DecoderPlan, beside: Callable[[DecoderPlan], Beside] = host_link) -> None:
    """Raise if a plan does not fit the board's FPGA, as far as is known before it is built."""
    if reasons := lacks(plan, board.device, beside(plan)):
        config = plan.config
        raise TritweaveError(
            f"{plan.model.name} does not fit {board.name} at {plan.fold}, {config.packing}, {config.shape.context} "
            f"tokens of context: it needs {', '.join(reasons)}; without --fold, the fastest that fits is found"
        )
