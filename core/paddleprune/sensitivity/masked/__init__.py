"""The network without some of its units: masked where it is, or compiled, which is the same and faster."""
