"""Reading and checking the configuration: every file, every section, every mistake at once."""
