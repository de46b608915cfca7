"""Links: what the holder of one does without signing in, on a page that needs no JavaScript."""
