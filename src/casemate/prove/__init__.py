"""Whether the boundary that started is the one that was named, shown from inside and outside the sandbox."""
