"""Scanning resumes for viruses with ClamAV's clamd (docs/virus-scan.md)."""
