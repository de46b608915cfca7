"""DynamoDB storage: a module per entity, and the reading and the transaction of a booking decision in `store`."""
