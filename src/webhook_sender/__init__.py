"""The webhook sender: brings events to those who want to hear of them."""

from appointments.start import begin

begin()
