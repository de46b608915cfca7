"""What people are written to: texts, dates and invitations, in their language. No I/O but the texts' own files."""
