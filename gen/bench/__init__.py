"""Size and speed as placed: arrays, decoders, whole engines, and pictures of them. Imports plan."""
