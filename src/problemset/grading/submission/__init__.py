"""Take a submission in and open its files without trusting them."""
