"""What visitors do who have not signed in: look for a free time, hold it, and book it."""
