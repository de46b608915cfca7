"""Webhooks: who is told of events."""
