"""``leadlog up``: the whole system on one machine, for trying it out and for development."""
