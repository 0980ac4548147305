"""Parts of ./dev bench scale."""
