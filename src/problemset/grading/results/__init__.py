"""Write a score in formats that other programs read."""
