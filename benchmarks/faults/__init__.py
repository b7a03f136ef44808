"""What goes wrong on purpose: processes killed at random moments, two writers, damaged and hostile files."""
