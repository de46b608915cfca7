"""All that is kept of a person."""
