"""x86 processors: 64-bit and 32-bit inferiors."""
