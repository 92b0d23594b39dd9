"""The MAC array: one interface, its implementations, and the decoder of trits at its edge. Imports rtl's ground files
only.
"""
