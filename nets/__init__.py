"""Complete networks, each trained and judged by one command."""
