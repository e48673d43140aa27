"""The three services, and the command that runs and repairs them."""
