"""The quotient of the quantiser with a limit that is known only then."""

from amaranth.hdl import Value

from rtl.quantiser.restoring import RestoringDivider


class LimitedDivider(RestoringDivider):
    """``RNE(limit·a / m)``: restoring division by two bits a cycle behind one product a lane.

    Rounding is what it is for 127, since the quotient of a smaller limit is no larger; a limit of 0 gives 0.

    Interface: `RestoringDivider`, without `int4`, with `limit`.
    """

    BITS = 2
    LIMITED = True

    def _dividend(self, lane: int) -> Value:
        return self.magnitudes[lane] * self.limit
