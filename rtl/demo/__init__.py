"""Demonstrations without a host: built-in inputs, answers on LEDs or segments. Imports the engine and what lies below
it.
"""
