"""A circuit breaker: what fails is left alone for a while, so that requests need not wait for it.

Closed: everything is tried. Open: nothing is, until the pause is over. Half-open: one try decides, others go without.
"""

from collections.abc import Callable
from typing import Final, Literal

FIRST_PAUSE: Final = 5.0
"""Seconds after the first failure; each further one doubles them."""
LONGEST_PAUSE: Final = 300.0

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Whether something is worth a try; ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float], first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> None:
        self._clock = clock
        self._first = first
        self._longest = longest
        self._pause = 0.0  # seconds of the pause under way or just over; 0: closed
        self._until = 0.0
        self._trying = False

    @property
    def state(self) -> State:
        """Where it stands."""
        if not self._pause:
            return "closed"
        return "open" if self._clock() < self._until else "half-open"

    def admit(self) -> bool:
        """Tell whether to try; who is told so says :meth:`succeed`, :meth:`fail` or :meth:`withdraw` afterwards."""
        state = self.state
        if state == "closed":
            return True
        if state == "open" or self._trying:
            return False
        self._trying = True
        return True

    def succeed(self) -> bool:
        """Close it; tells whether it was not closed."""
        was, self._pause, self._trying = self._pause, 0.0, False
        return was > 0

    def fail(self) -> bool:
        """Open it, for twice as long as the last time; tells whether it was closed."""
        first = not self._pause
        if self.state != "open":  # else one of several at once has failed already
            self._pause = self._first if first else min(2 * self._pause, self._longest)
            self._until = self._clock() + self._pause
        self._trying = False
        return first

    def withdraw(self) -> None:
        """Take a try back that came to no end: the next one decides."""
        self._trying = False
