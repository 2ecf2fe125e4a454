"""What one does beside a study: audit a recipe before a search. Imported file by file."""
