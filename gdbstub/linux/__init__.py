"""The kernel's interfaces, one thin module per facility. Knows neither gdb nor engines."""
