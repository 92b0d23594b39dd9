"""Memories that a load port fills, the activation buffer, and the loader out of SPI flash. Imports the quantiser and
rtl's ground files.
"""
