"""The reminder sender: the function behind the timers."""

from appointments.start import begin

begin()
