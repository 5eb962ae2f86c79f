"""What engines and servers can be tested with where no real process is wanted."""
