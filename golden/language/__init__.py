"""A ternary decoder in integers, from token to logits: one file for each component of the hardware; see `decoder`."""
