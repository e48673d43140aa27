"""Where commands write what people read."""

import os
from typing import Final

from rich.console import Console

_WIDE: Final = 250


def console() -> Console:
    """Standard output as it is now.

    Not on a terminal, say into ``grep`` or a file, a table is as wide as its cells: what is cut
    off to fit 80 columns cannot be found. ``COLUMNS`` decides over both.
    """
    found = Console()
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = _WIDE
    return found
