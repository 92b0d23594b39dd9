"""How it is checked: cocotb test bodies, and the drivers, monitors and scoreboards that they share."""
