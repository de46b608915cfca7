"""The function behind the HTTP API: books appointments and never double-books."""

from appointments.start import begin

begin()
