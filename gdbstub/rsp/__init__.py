"""gdb's remote serial protocol: framing, sessions, commands. No I/O and no processes.

Section numbers refer to the appendix "Remote Protocol" of gdb's manual.
"""
