"""Language models that no engine here holds: bytes, cycles and energy of a token. Imports imports and plan."""
