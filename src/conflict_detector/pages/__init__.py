"""The pages for people: `/desk` and `/book`."""
