"""Text types for request models; the patterns appear in the OpenAPI document as well."""

from typing import Annotated

from pydantic import StringConstraints

# NUL and the other control characters: databases, mail headers and terminals choke on them.
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
"""Text of one line."""

Paragraph = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
"""Text that may hold line breaks and tabs."""
