from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from libs.resumes.names import lead_of, new_name
from libs.resumes.pieces import pieces


@given(st.lists(st.binary(max_size=50)), st.integers(min_value=1, max_value=40))
def test_pieces_are_the_same_bytes_in_equal_sizes(chunks: list[bytes], size: int) -> None:
    cut = list(pieces(chunks, size))
    assert b"".join(cut) == b"".join(chunks)
    assert all(len(piece) == size for piece in cut[:-1])
    assert all(0 < len(piece) <= size for piece in cut[-1:])


def test_a_name_tells_its_lead_and_is_new_each_time() -> None:
    lead = uuid4()
    first, second = new_name(lead), new_name(lead)
    assert first != second
    assert lead_of(first) == lead_of(second) == lead


@given(st.text())
def test_other_names_tell_no_lead(name: str) -> None:
    lead = lead_of(name)
    assert lead is None or name.lower().replace("-", "").startswith(lead.hex)
