"""Many debuggers and tracers on one Linux process."""
