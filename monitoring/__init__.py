"""What is counted, drawn and alarmed. `table.py` says it, and `make monitoring` writes it into `template.yaml`."""
