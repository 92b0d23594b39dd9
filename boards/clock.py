"""The engine's clock from a board's: settings of the phase-locked loops of iCE40 and ECP5."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Instance, Signal

from golden.errors import TritweaveError

_MHZ = 1_000_000


@dataclass(frozen=True)
class Pll(ABC):
    """A phase-locked loop and its dividers.

    Parameters
    ----------
    input_hz
        The board's clock.
    reference, feedback, output
        Dividers of the input, of what returns to the phase detector, and of the output, as the cell takes them.

    """

    INPUT_MHZ: ClassVar[tuple[float, float]]
    PHASE_MHZ: ClassVar[tuple[float, float]]
    """Of the phase detector."""
    OSCILLATOR_MHZ: ClassVar[tuple[float, float]]
    OUTPUT_MHZ: ClassVar[tuple[float, float]]

    input_hz: int
    reference: int
    feedback: int
    output: int

    @property
    @abstractmethod
    def phase_hz(self) -> float:
        """Of the phase detector."""

    @property
    @abstractmethod
    def oscillator_hz(self) -> float:
        """Of the oscillator."""

    @property
    @abstractmethod
    def output_hz(self) -> float:
        """Of the engine."""

    @property
    def legal(self) -> bool:
        """Whether every frequency is within its limits."""
        return all(
            low * _MHZ <= hz <= high * _MHZ
            for hz, (low, high) in (
                (self.input_hz, self.INPUT_MHZ),
                (self.phase_hz, self.PHASE_MHZ),
                (self.oscillator_hz, self.OSCILLATOR_MHZ),
                (self.output_hz, self.OUTPUT_MHZ),
            )
        )

    @abstractmethod
    def instance(self, source: Signal, clock: Signal, locked: Signal) -> Instance:
        """The cell between the board's clock and the engine's."""


@dataclass(frozen=True)
class Ice40Pll(Pll):
    """An iCE40 PLL with its oscillator as feedback.

    Its output is the input times (`feedback` + 1) / (`reference` + 1) / 2**`output`. Limits: iCE40 LP/HX and
    UltraPlus family data sheets, sysCLOCK PLL timing.

    Parameters
    ----------
    reference, feedback, output
        DIVR, 0 to 15; DIVF, 0 to 63; DIVQ, 1 to 6.
    pad
        Whether the clock comes from the PLL's own pin.

    """

    INPUT_MHZ = (10, 133)
    PHASE_MHZ = (10, 133)
    OSCILLATOR_MHZ = (533, 1066)
    OUTPUT_MHZ = (16, 275)

    pad: bool = False

    @property
    def phase_hz(self) -> float:
        """Of the phase detector."""
        return self.input_hz / (self.reference + 1)

    @property
    def oscillator_hz(self) -> float:
        """Of the oscillator."""
        return self.phase_hz * (self.feedback + 1)

    @property
    def output_hz(self) -> float:
        """Of the engine."""
        return self.oscillator_hz / 2**self.output

    @property
    def filter_range(self) -> int:
        """FILTER_RANGE for the phase detector's frequency."""
        return 1 + sum(self.phase_hz >= edge * _MHZ for edge in (17, 26, 44, 66, 101))

    @classmethod
    def settings(cls, input_hz: int, *, pad: bool = False) -> "Iterator[Ice40Pll]":
        """All legal settings, the fastest phase detectors first."""
        for reference in range(16):
            for feedback in range(64):
                for output in range(1, 7):
                    pll = cls(input_hz, reference, feedback, output, pad)
                    if pll.legal:
                        yield pll

    def instance(self, source: Signal, clock: Signal, locked: Signal) -> Instance:
        """The cell between the board's clock and the engine's."""
        ports = {"i_PACKAGEPIN" if self.pad else "i_REFERENCECLK": source, "o_PLLOUTGLOBAL": clock, "o_LOCK": locked}
        return Instance(
            "SB_PLL40_PAD" if self.pad else "SB_PLL40_CORE",
            p_FEEDBACK_PATH="SIMPLE",
            p_PLLOUT_SELECT="GENCLK",
            p_DIVR=self.reference,
            p_DIVF=self.feedback,
            p_DIVQ=self.output,
            p_FILTER_RANGE=self.filter_range,
            i_RESETB=1,
            i_BYPASS=0,
            **ports,
        )


@dataclass(frozen=True)
class Ecp5Pll(Pll):
    """An ECP5 PLL with its first output as feedback.

    Its output is the input times `feedback` / `reference`. Limits: ECP5 and ECP5-5G family data sheet,
    sysCLOCK PLL timing.

    Parameters
    ----------
    reference, feedback, output
        CLKI_DIV, CLKFB_DIV and CLKOP_DIV, 1 to 128: the oscillator runs `output` times as fast as the output.

    """

    INPUT_MHZ = (8, 400)
    PHASE_MHZ = (10, 400)
    OSCILLATOR_MHZ = (400, 800)
    OUTPUT_MHZ = (3.125, 400)

    @property
    def phase_hz(self) -> float:
        """Of the phase detector."""
        return self.input_hz / self.reference

    @property
    def output_hz(self) -> float:
        """Of the engine."""
        return self.phase_hz * self.feedback

    @property
    def oscillator_hz(self) -> float:
        """Of the oscillator."""
        return self.output_hz * self.output

    @classmethod
    def settings(cls, input_hz: int) -> "Iterator[Ecp5Pll]":
        """For each output all legal dividers, the fastest phase detectors first, oscillators near 600 MHz."""
        for reference in range(1, 129):
            for feedback in range(1, 129):
                output = max(round(600 * _MHZ * reference / (input_hz * feedback)), 1)
                pll = cls(input_hz, reference, feedback, output)
                if output <= 128 and pll.legal:
                    yield pll

    def instance(self, source: Signal, clock: Signal, locked: Signal) -> Instance:
        """The cell between the board's clock and the engine's."""
        return Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{self.input_hz / _MHZ:.10g}",
            a_FREQUENCY_PIN_CLKOP=f"{self.output_hz / _MHZ:.10g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_CLKI_DIV=self.reference,
            p_CLKFB_DIV=self.feedback,
            p_CLKOP_DIV=self.output,
            p_CLKOP_ENABLE="ENABLED",
            # Half a period of phase 0, as the cell counts it.
            p_CLKOP_CPHASE=self.output // 2,
            p_CLKOP_FPHASE=0,
            p_FEEDBK_PATH="CLKOP",
            p_OUTDIVIDER_MUXA="DIVA",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_PLLRST_ENA="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            i_CLKI=source,
            i_CLKFB=clock,
            i_RST=0,
            i_STDBY=0,
            i_PHASESEL0=0,
            i_PHASESEL1=0,
            i_PHASEDIR=1,
            i_PHASESTEP=1,
            i_PHASELOADREG=1,
            i_PLLWAKESYNC=0,
            i_ENCLKOP=0,
            o_CLKOP=clock,
            o_LOCK=locked,
        )


def choose_pll(family: str, input_hz: int, output_hz: int, *, pad: bool = False) -> Pll | None:
    """The PLL that makes exactly a frequency, or None if it is the board's own.

    Parameters
    ----------
    family
        ``ice40`` or ``ecp5``.
    input_hz, output_hz
        The board's clock and the engine's.
    pad
        Whether the board's clock is on the PLL's own pin (iCE40).

    """
    if input_hz == output_hz:
        return None
    settings = list(Ice40Pll.settings(input_hz, pad=pad) if family == "ice40" else Ecp5Pll.settings(input_hz))
    for pll in settings:
        if pll.output_hz == output_hz:
            return pll
    reachable = sorted({pll.output_hz / _MHZ for pll in settings}, key=lambda mhz: abs(mhz - output_hz / _MHZ))
    near = ", ".join(f"{mhz:.6g}" for mhz in sorted(reachable[:4])) or "none"
    raise TritweaveError(
        f"an {family} PLL does not make {output_hz / _MHZ:.6g} MHz of {input_hz / _MHZ:.6g} MHz; "
        f"the nearest it makes are {near} MHz"
    )
