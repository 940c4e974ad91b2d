"""The core process: main loop, request handler, state file, event log."""
