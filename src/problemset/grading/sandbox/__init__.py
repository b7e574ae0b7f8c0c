"""Run checks in processes of their own, and notebooks confined."""
