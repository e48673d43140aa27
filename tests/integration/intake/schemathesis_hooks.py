"""What schemathesis sends as a file: real documents, each as its own media type."""

import schemathesis
from hypothesis import strategies as st

from services.intake.resume import KINDS
from tests.unit.intake.documents import EVERY_KIND

for kind in KINDS:
    schemathesis.openapi.media_type(kind.media_type, st.just(EVERY_KIND[kind.extensions[0]]))
