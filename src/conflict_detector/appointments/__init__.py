"""Appointments: `/appointments`."""
