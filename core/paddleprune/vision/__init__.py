"""What the tasks on images share: lists of files, decoding and changes of colour. It knows no task."""
