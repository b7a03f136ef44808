"""The table: a file, and what other programs pickled, read as one."""
