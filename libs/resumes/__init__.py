"""Resumes: bytes that are too large for an event, kept beside the log."""

from libs.resumes.jetstream import JetStreamResumeStore
from libs.resumes.memory import MemoryResumeStore
from libs.resumes.store import ResumeDamaged, ResumeMissing, ResumeStore

__all__ = [
    "JetStreamResumeStore",
    "MemoryResumeStore",
    "ResumeDamaged",
    "ResumeMissing",
    "ResumeStore",
]
