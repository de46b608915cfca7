"""The notice sender: tells people what happened to their appointments."""

from appointments.start import begin

begin()
