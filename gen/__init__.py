"""What to build: from a network and a fold to a plan, a memory image and Verilog."""
