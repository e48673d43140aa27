"""People's data: finding, exporting and erasing what is kept about one person."""
