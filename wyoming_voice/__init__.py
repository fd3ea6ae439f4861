"""A local voice server that speaks and listens over the Wyoming protocol."""

from typing import Final

__version__: Final = "0.1.0"
