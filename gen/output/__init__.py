"""What is written for others to build from: Verilog, memory image and waivers of an engine, with or without a host
link. Imports plan.
"""
