"""Weight files: the list of published files, download, import and storage."""
