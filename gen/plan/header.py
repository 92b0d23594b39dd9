"""What the header of an engine's Verilog says of its streams and its load port."""

from golden.formats import LOAD_WIDTH, MEMORIES, NORMS
from rtl.engine.config import EngineConfig

_NOTES = """\
Streams
  A word passes in each cycle in which valid and ready are both 1 at the rising edge of clk. Who offers a word does not
  wait for ready, and keeps valid at 1 and the word steady until it has passed. Without valid the word means nothing.
  i  A vector is one word for each {lanes} of its values, first value in the lowest bits; value v of a word is
     i_data[{element} * v +: {element}]. What a vector's last word has beyond the vector is 0.
  o  The results of a vector come in the same way, o_data[{result} * v +: {result}] signed, o_last with the last word.

Load port
  {loading}
  A transfer is a word of this stream: {width} bits of word load_address of memory load_memory, lowest bits first,
  load_last with the transfer that completes the word.
    load_memory  memory       words  transfers a word
{memories}
  The image file has all transfers in this order behind {header} bytes of header, {width} bits each, little-endian."""

_HEADER_BYTES = 28


def engine_notes(config: EngineConfig) -> str:
    """The rules of an engine's ports."""
    loading = "load_ready is 1 while no vector is in the engine; no input enters during a transfer."
    if not config.writable:
        loading = "There is none in this engine: load_ready stays 0."
    rows = [
        f"    {code:>11}  {name:<11}  {words:>5}  {transfers:>16}"
        for code, (name, (words, transfers)) in enumerate(config.memories.items())
    ]
    assert tuple(config.memories) == (*MEMORIES, *([NORMS] if config.norming else []))
    return _NOTES.format(
        lanes=config.lanes,
        element=config.element.width,
        result=config.result_width,
        loading=loading,
        width=LOAD_WIDTH,
        memories="\n".join(rows),
        header=_HEADER_BYTES,
    )
