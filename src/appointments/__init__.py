"""What the functions share: the model, the tables, the reminder rules and the logger."""
