"""Where clients come in: listening, and connections between sockets and sessions."""
