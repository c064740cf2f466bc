"""Where objects come from: files, folders and streams, decoded strictly with their positions."""
