"""Demonstrations without a host: built-in inputs, answers on LEDs or segments; stories on a serial line. Imports what
lies below it.
"""
