"""One pure function per homework item: (trained models, arguments, rng) to a frozen result."""
