"""What Paddle doesn't document and this project needs all the same: those names are here, and nowhere else.

A test asks for each of them, so that another version of Paddle says at once which are gone.
"""
