"""The sweep: what is measured, of which groups, how far, by how many processes, and what a stop leaves."""
