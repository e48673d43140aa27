"""``leadlog backup`` and ``leadlog restore``: everything in one file, and back."""
