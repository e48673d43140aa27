"""``leadlog dead-letters``: what consumers gave up, and what to do about it."""
