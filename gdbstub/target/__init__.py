"""What a debugger front end debugs: the capability interfaces, and what implements them."""
