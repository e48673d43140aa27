"""The public side: a prospect's form and resume in, one LeadSubmitted out."""
