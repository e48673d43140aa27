"""The operator's command: ``leadlog``."""
