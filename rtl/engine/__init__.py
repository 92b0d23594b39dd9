"""The engine: intake, sequencer, array, drain, scale step and quantiser as one component, and the configuration that
derives every width. Imports the wings array, memory and quantiser.
"""

from rtl.engine.config import EngineConfig
from rtl.engine.engine import Engine

__all__ = ["Engine", "EngineConfig"]
