"""How to run it: Verilator builds, kept by content, and fast runs of whole image sets."""
