"""The client of Runloop."""
