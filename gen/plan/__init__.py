"""From a network and a fold to a plan: the engine's configuration, its memory image, predicted cycles and area, and
what fits a device. Imports gen's ground files only.
"""
