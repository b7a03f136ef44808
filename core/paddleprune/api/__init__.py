"""What users call: one function for each thing that they want to do."""
