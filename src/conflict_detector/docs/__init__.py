"""The contract and its page: `/openapi.json` and `/docs`."""
