"""The MAC array: one interface, its implementations, and the decoder of trits at its edge. Imports rtl's ground files
only.
"""

from rtl.array.ecp5 import Ecp5Array
from rtl.array.exact import ExactArray
from rtl.array.exact_ecp5 import ExactEcp5Array
from rtl.array.ice40 import Ice40Array
from rtl.array.interface import ArrayConfig, MacArray
from rtl.array.portable import PortableArray
from rtl.array.trit_decoder import TritDecoder

EXACT_ARRAYS: dict[str, type[ExactArray]] = {"exact": ExactArray, "exact-ecp5": ExactEcp5Array}
"""The implementations whose sums lack nothing."""

__all__ = [
    "ArrayConfig",
    "Ecp5Array",
    "ExactArray",
    "ExactEcp5Array",
    "Ice40Array",
    "MacArray",
    "PortableArray",
    "TritDecoder",
]
