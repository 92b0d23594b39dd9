"""Engines of language models: the program that their units follow, the memory image, the plan, and its cycles."""
