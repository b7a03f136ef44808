"""What tasks on images are made of; it knows none of them. `docs/vision.md` says what is where, and shows a task."""
