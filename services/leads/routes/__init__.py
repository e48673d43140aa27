"""HTTP in, HTTP out: one file per group of addresses."""
