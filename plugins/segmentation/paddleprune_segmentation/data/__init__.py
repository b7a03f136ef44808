"""From lists of files to preprocessed images and masks."""
