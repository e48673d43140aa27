"""The service that sends email: which event means which mail, and its delivery."""
