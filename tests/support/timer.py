"""A clock that only a test moves."""


class Timer:
    """Seconds, as time.monotonic gives them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
