"""Settings: the key table, and one frozen object made from it."""

from bacalhau.config.keys import KEYS, Key
from bacalhau.config.settings import Settings

__all__ = ["KEYS", "Key", "Settings"]
