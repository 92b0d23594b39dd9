"""The scalar unit's memories: registers for scalars, and constants that are used one after the other."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.formats import LOAD_WIDTH
from golden.language.format import QUERY_BITS
from rtl.layouts import indices
from rtl.memory.loadable import LoadableMemory
from rtl.transformer.config import DecoderConfig
from rtl.transformer.steps import Steps


class ScalarMemories(wiring.Component):
    """Registers with one write port and three read ports, and a loadable memory of constants.

    Parameters
    ----------
    config
        The decoder.
    constants
        What the memory of constants holds at first: words of `DecoderConfig.scalar`, at most `depth(config)`.
    writable
        Whether it has a load port in hardware.

    Members
    -------
    write
        In, stream of `written`, always ready: a register's new scalar, read by addresses from the next cycle on.
    operand_address, operand
        In, Out, `DecoderConfig.scalar`: a register, `LATENCY` cycle later, for the scalar unit itself.
    register_address, register
        The same for the result lanes.
    limit_address, limit
        The same for the quantiser lanes: only the QUERY_BITS lowest bits of the mantissa.
    rewind
        In, 1: the next constant is the first.
    advance
        In, 1: the next constant is the one behind.
    constant
        Out, `DecoderConfig.scalar`: the next constant, `LoadableMemory.LATENCY` cycles behind `rewind`, and one more
        behind `advance`.
    load_address, load_data, load_last, load_valid
        In: the load port of the memory of constants, as `LoadableMemory` has it.

    """

    LATENCY = 1

    write: stream.Interface
    operand_address: Signal
    operand: data.View
    register_address: Signal
    register: data.View
    limit_address: Signal
    limit: Signal
    rewind: Signal
    advance: Signal
    constant: data.View
    load_address: Signal
    load_data: Signal
    load_last: Signal
    load_valid: Signal

    def __init__(self, config: DecoderConfig, constants: list[int], *, writable: bool):
        self.config, self.constants, self.writable = config, constants, writable
        super().__init__(
            {
                "write": In(stream.Signature(self.written(config), always_ready=True)),
                "operand_address": In(Steps(config).register),
                "operand": Out(config.scalar),
                "rewind": In(1),
                "advance": In(1),
                "constant": Out(config.scalar),
            }
            | self.outer_ports(config)
        )

    @classmethod
    def outer_ports(cls, config: DecoderConfig) -> dict[str, wiring.Member]:
        """The ports for others than the scalar unit."""
        return {
            "register_address": In(Steps(config).register),
            "register": Out(config.scalar),
            "limit_address": In(Steps(config).register),
            "limit": Out(QUERY_BITS),
            "load_address": In(indices(cls.depth(config))),
            "load_data": In(LOAD_WIDTH),
            "load_last": In(1),
            "load_valid": In(1),
        }

    @staticmethod
    def depth(config: DecoderConfig) -> int:
        """Constants: three a block, and the head's."""
        return 3 * config.shape.blocks + 1

    @staticmethod
    def written(config: DecoderConfig) -> data.StructLayout:
        """Shape of what is written: ``register`` and ``scalar``."""
        return data.StructLayout({"register": Steps(config).register, "scalar": config.scalar})

    def elaborate(self, platform) -> Module:
        """The two memories, and a pointer."""
        m = Module()
        shape, depth = self.config.scalar, self.depth(self.config)
        m.submodules.registers = registers = Memory(shape=shape, depth=len(Steps(self.config).register), init=[])
        write, own, for_results, for_limits = registers.write_port(), *(registers.read_port() for _ in range(3))
        m.d.comb += [
            write.addr.eq(self.write.payload.register),
            write.data.eq(self.write.payload.scalar),
            write.en.eq(self.write.valid),
            own.addr.eq(self.operand_address),
            self.operand.eq(own.data),
            for_results.addr.eq(self.register_address),
            self.register.eq(for_results.data),
            for_limits.addr.eq(self.limit_address),
            self.limit.eq(for_limits.data.mantissa),
        ]
        m.submodules.constants = constants = LoadableMemory(
            (shape.size,), depth, self.constants, writable=self.writable
        )
        pointer = Signal(indices(depth))
        with m.If(self.rewind):
            m.d.sync += pointer.eq(0)
        with m.Elif(self.advance):
            m.d.sync += pointer.eq(pointer + 1)
        m.d.comb += [
            constants.address.eq(Mux(self.rewind, 0, pointer)),
            self.constant.eq(constants.data),
            constants.load_address.eq(self.load_address),
            constants.load_data.eq(self.load_data),
            constants.load_last.eq(self.load_last),
            constants.load_valid.eq(self.load_valid),
        ]
        return m
