"""Request and response headers: pure functions from text to values, and back."""
