"""The two functions that send reminders: one behind the timers, and the sweep behind a five-minute rule."""

from appointments.start import begin

begin()
