"""Problem 1: its equations as sympy expressions, a counterexample, and both as files."""
