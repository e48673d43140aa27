"""What each user at NATS may do, and what not, with the configuration as it is shipped."""
