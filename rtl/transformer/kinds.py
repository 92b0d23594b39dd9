"""What a decoder's steps can be: closed lists, whose numbers stand in the program."""

from enum import IntEnum


class Unit(IntEnum):
    """Who takes a step."""

    ARRAY = 0
    ELEMENTS = 1
    QUANTISER = 2
    SCALARS = 3


class Wait(IntEnum):
    """What a step waits for; the first four are the numbers of units that must have nothing to do."""

    ARRAY = Unit.ARRAY
    ELEMENTS = Unit.ELEMENTS
    QUANTISER = Unit.QUANTISER
    SCALARS = Unit.SCALARS
    ARRAY_BUT_ONE = 4
    """The array has nothing to do but its last step."""
    ARRAY_BUT_TWO = 5
    """Nothing but its last two."""


class Source(IntEnum):
    """Where the array's trits come from."""

    WEIGHTS = 0
    """The next words of the weight memory, in the order of use."""
    KEYS = 1
    """The cache of keys: rows are tokens."""
    VALUES = 2
    """The cache of values: columns are tokens."""


class Result(IntEnum):
    """What becomes of a word of the array's sums."""

    RAW = 0
    """As it is, or rectified, to the memory of results."""
    SCORE = 1
    """Times the keys' scales, to the memory of results."""
    CONTEXT = 2
    """Times the head's factor, to the memory of results."""
    RESIDUAL = 3
    """Times a scalar, and added to the residual."""
    LOGIT = 4
    """To the sampler."""


class Element(IntEnum):
    """What the element lanes do."""

    NORM = 0
    """The residual times gains, and its squares, to the memory of vectors."""
    CONTEXT_NORM = 1
    """The same of contexts in the memory of results."""
    HIDDEN_NORM = 2
    """The same of relu²(gate)·up."""
    ROTATE = 3
    """A head's query or key, from the memory of results to that of vectors."""
    POWERS = 4
    """Softmax: a head's scores become weights in front of the quantiser, and their sum."""


class Limit(IntEnum):
    """What the quantiser's largest magnitude becomes."""

    ACTIVATION = 0
    """127."""
    KEY = 1
    """The largest number of a key's digits."""
    VALUE = 2
    """The largest number of a value's digits."""
    QUERY = 3
    """The mantissa of a scalar of `golden.language.format.QUERY_BITS` bits."""


class Target(IntEnum):
    """Where quantised words go."""

    ACTIVATIONS = 0
    """To the array's activations."""
    KEYS = 1
    """As digits into the cache of keys."""
    VALUES = 2
    """As digits into the cache of values."""
    GATE = 3
    """To the gates in front of relu²(gate)·up."""
    UP = 4
    """To what stands beside them."""


class Operation(IntEnum):
    """What the scalar unit does."""

    ROOT = 0
    """A vector's largest magnitude over the root of its sum of squares."""
    CONSTANT = 1
    """A scalar times the next constant."""
    QUERY = 2
    """A scalar times a vector's largest magnitude, cut to `golden.language.format.QUERY_BITS` bits."""
    KEY_SCALE = 3
    """A scalar times a vector's largest magnitude, to the scales of keys."""
    VALUE_SCALE = 4
    """The same, to the scales of values, and the peak of their exponents."""
    FACTOR = 5
    """The largest weight over the sum of powers, in the unit of the key head with the largest values."""
    TEMPERATURE = 6
    """A scalar over the temperature."""
