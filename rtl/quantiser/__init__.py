"""The activation quantiser, its dividers and maxima. Imports rtl's ground files only."""

from rtl.quantiser.config import QuantizerConfig
from rtl.quantiser.quantiser import Quantizer

__all__ = ["Quantizer", "QuantizerConfig"]
