"""A language model's decoder: units around one array, and the program that they follow.

May import everything in `rtl` but links, demonstrations and the engine of feed-forward networks.
"""
