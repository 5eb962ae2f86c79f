"""The multiplexing core: any number of engines trace the same threads at once.

The kernel's utrace, never merged, rebuilt in user space. `core` is the report machine; it knows neither
ptrace nor any processor and drives a `backend`. Nothing here knows of packets or debuggers.
"""
