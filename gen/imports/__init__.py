"""Weights that other programs made: their files, layers and numbers. Imports plan."""
