"""Where people are reached."""
