"""Questions with answers: rows of files, scoring, wording."""
