"""What Leadlog is measured against: the usual small service, all in one process.

Leads in a dictionary, the resume in a file without fsync, a JWT for the attorneys, mails by
smtplib from a thread pool. It loses everything when it ends, and mails that wait as well.

``python -m tests.bench.monolith PORT FOLDER SMTP_PORT`` (SMTP_PORT 0 sends no mail).
"""

import secrets
import smtplib
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import jwt
import uvicorn
from fastapi import Depends, FastAPI, Form, HTTPException, UploadFile
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, EmailStr

ATTORNEY = "attorney@firm.example.org"
_SECRET = secrets.token_hex(32)


class Lead(BaseModel):
    id: UUID
    first_name: str
    last_name: str
    email: EmailStr
    phone: str | None
    resume: str
    status: str = "PENDING"
    submitted_at: datetime


class Accepted(BaseModel):
    lead_id: UUID
    status: str
    submitted_at: datetime


def build(folder: Path, smtp_port: int) -> FastAPI:
    app = FastAPI()
    leads: dict[UUID, Lead] = {}
    post = ThreadPoolExecutor(4)
    bearer = HTTPBearer()

    def send(recipient: str, subject: str, text: str) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = ATTORNEY, recipient, subject
        message.set_content(text)
        with smtplib.SMTP("127.0.0.1", smtp_port) as server:
            server.send_message(message)

    def account(token: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> Any:
        try:
            return jwt.decode(token.credentials, _SECRET, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            raise HTTPException(401) from None

    @app.post("/leads", status_code=202)
    async def submit(
        first_name: Annotated[str, Form(max_length=100)],
        last_name: Annotated[str, Form(max_length=100)],
        email: Annotated[EmailStr, Form()],
        resume: UploadFile,
        phone: Annotated[str | None, Form(max_length=40)] = None,
    ) -> Accepted:
        lead = Lead(
            id=uuid4(),
            first_name=first_name,
            last_name=last_name,
            email=email,
            phone=phone,
            resume=resume.filename or "resume",
            submitted_at=datetime.now(UTC),
        )
        (folder / str(lead.id)).write_bytes(await resume.read())
        leads[lead.id] = lead
        if smtp_port:
            post.submit(send, email, "Thank you", f"Dear {first_name}, we have your resume.")
            post.submit(send, ATTORNEY, "A new lead", f"{first_name} {last_name}, {email}")
        return Accepted(lead_id=lead.id, status=lead.status, submitted_at=lead.submitted_at)

    @app.post("/token")
    async def token() -> str:
        claims = {"sub": ATTORNEY, "exp": datetime.now(UTC) + timedelta(hours=1)}
        return jwt.encode(claims, _SECRET, algorithm="HS256")

    @app.get("/leads/{lead_id}", dependencies=[Depends(account)])
    async def show(lead_id: UUID) -> Lead:
        return leads[lead_id]

    return app


def main() -> None:
    port, folder, smtp_port = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    app = build(folder, smtp_port)
    uvicorn.run(
        app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", access_log=False,
        log_level="warning",
    )  # fmt: skip


if __name__ == "__main__":
    main()
