"""What bmsd decides: pure functions, values in and values out, time is an argument."""
