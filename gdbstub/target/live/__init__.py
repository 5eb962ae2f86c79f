"""The live target: a debugger's view of running processes, as an engine on utrace."""
