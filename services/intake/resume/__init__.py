"""What a resume is, judged by its bytes."""

from services.intake.resume.checks import (
    NoResume,
    ResumeRefused,
    ResumeTooLarge,
    Upload,
    judge,
)
from services.intake.resume.kinds import KINDS, Kind

__all__ = ["KINDS", "Kind", "NoResume", "ResumeRefused", "ResumeTooLarge", "Upload", "judge"]
