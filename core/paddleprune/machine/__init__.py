"""The machine that this runs on: its CPU, and its memory."""
