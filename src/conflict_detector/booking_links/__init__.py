"""Booking links: what lets visitors book without signing in."""
