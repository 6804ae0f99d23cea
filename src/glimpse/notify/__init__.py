"""Event notifications to the message bus, by a backlog that no request waits for."""
