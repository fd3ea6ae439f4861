"""The bridge: HTTP and WebSocket over the same engine pool as the Wyoming door."""
