"""Write locks: what they are, where they are stored, what they forbid, and their XML."""
