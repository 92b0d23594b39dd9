"""Files, read and written whole or not at all: checkpoints, layer files, memory images, and other programs' formats.
Imports golden's ground files only.
"""
