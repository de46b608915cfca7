"""Time that nobody may book: `/calendars/{id}/blocks`."""
