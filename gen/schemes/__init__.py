"""Published weight schemes: float layers become a scheme file. Imports imports, training and plan."""
