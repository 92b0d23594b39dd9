"""The host link: frames over a serial line, and an engine behind it. Imports the engine and what lies below it."""
