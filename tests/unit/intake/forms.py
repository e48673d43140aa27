"""Multipart bodies made by hand, byte for byte what browsers send."""

from tests.unit.intake.documents import PDF

BOUNDARY = "----LeadlogTest7MA4YWxk"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
GOOD = {"first_name": "Ada", "last_name": "Byron", "email": "ada@mail.example.com"}


def text_part(name: str, value: bytes) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value


def file_part(content: bytes = PDF, file_name: str = "cv.pdf", name: str = "resume") -> bytes:
    head = (
        f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode() + content


def body(*parts: bytes) -> bytes:
    delimiter = f"--{BOUNDARY}\r\n".encode()
    return b"".join(delimiter + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def fields(**values: str) -> list[bytes]:
    return [text_part(name, value.encode()) for name, value in (GOOD | values).items()]


def whole(content: bytes = PDF, file_name: str = "cv.pdf", **values: str) -> bytes:
    return body(*fields(**values), file_part(content, file_name))
