"""What bmsd knows, as data: rows that checks, help, registers, frames and documents derive from."""
