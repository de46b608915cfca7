"""Settings of calendars: `/calendars`."""
