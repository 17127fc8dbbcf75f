"""Whether a secret of the configuration could be guessed: an example, a plain sequence, or too few characters."""

from itertools import pairwise

EXAMPLES = ("change-me", "changeme", "secret", "example", "development", "0123456789", "password")
ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
# Two neighbours in one of the rows, in either direction.
RUNS = {first + second for row in ROWS for way in (row, row[::-1]) for first, second in pairwise(way)}
LEAST_BYTES, LEAST_KINDS = 32, 12


def is_weak(key: str) -> bool:
    """Whether this is no key that 32 random bytes could have become."""
    return len(key.encode()) < LEAST_BYTES or len(set(key)) < LEAST_KINDS or is_guessable(key)


def is_guessable(secret: str) -> bool:
    """Whether a secret holds an example, or runs along the alphabet, the digits or the keys for half of its length."""
    text = secret.lower()
    steps = [first == second or first + second in RUNS for first, second in pairwise(text)]
    return any(word in text for word in EXAMPLES) or 2 * sum(steps) >= len(steps)
