"""The function behind the EventBridge rules: sends each reminder once, then removes its rule."""
