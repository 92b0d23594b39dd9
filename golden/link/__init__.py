"""The host link's frames: every byte of them, coding and decoding. Imports files."""
