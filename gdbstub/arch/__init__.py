"""Machine descriptions: register sets, target XML, system call ABI, breakpoint and debug register facts.

Data and pure functions; nothing here makes a system call.
"""
