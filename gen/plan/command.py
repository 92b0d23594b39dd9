"""What all commands that plan share: the options that choose an engine, and the plan that they mean."""

from typing import Annotated

import typer

from gen.plan.plan import Fold, Plan, plan_network
from gen.plan.presets import load_network
from golden.formats import PACKINGS
from rtl.engine.config import ARRAYS
from rtl.quantiser.config import DIVIDERS

Model = Annotated[
    str,
    typer.Argument(help="A shipped network's name, or the path of a checkpoint or a scheme file.", show_default=False),
]
FOLD_HELP = (
    "The array's size: R outputs and C inputs a cycle, streams of L values; larger is faster and takes more room."
)

FoldOption = Annotated[
    str | None,
    typer.Option("--fold", metavar="RxCxL", help=f"{FOLD_HELP} Default: the model's."),
]
PackingOption = Annotated[
    str | None, typer.Option("--packing", help=f"How weights are stored: {', '.join(PACKINGS)}. Default: the model's.")
]
ArrayOption = Annotated[
    str,
    typer.Option(
        "--array", help=f"How the array is made: {', '.join(ARRAYS)}; `ecp5` and `ice40` for their devices only."
    ),
]
InFlightOption = Annotated[
    int, typer.Option("--in-flight", min=1, max=2, help="Vectors in flight: 2 hide each other's latencies.")
]
DividerOption = Annotated[
    str | None,
    typer.Option(
        "--quantiser",
        help=f"How the quantiser divides: {', '.join(DIVIDERS)}. Default: multiplying with the array `ecp5`.",
    ),
]
SpramOption = Annotated[
    bool, typer.Option("--spram", help="Keep the weights in an iCE40 UP5K's SPRAM, to be loaded at run time.")
]


def plan_model(
    model: str,
    fold: str | None,
    packing: str | None,
    array: str,
    in_flight: int = 2,
    *,
    divider: str | None = None,
    spram: bool = False,
    writable: bool = True,
) -> Plan:
    """The plan of a model as the options say, the model's own fold and packing where they say nothing."""
    network, preset = load_network(model)
    shape = Fold.parse(fold) if fold else preset.fold
    return plan_network(
        network,
        shape,
        packing=packing or preset.packing,
        array=array,
        vectors=in_flight,
        divider=divider,
        spram=spram,
        writable=writable,
    )
