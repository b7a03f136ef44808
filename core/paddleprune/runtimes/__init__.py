"""The programs that run exported files here."""
