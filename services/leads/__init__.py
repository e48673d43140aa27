"""The attorneys' side: the list of leads, what is done with them, and who may."""
