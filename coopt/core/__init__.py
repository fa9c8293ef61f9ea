"""What everything stands on: errors, random numbers, files, processes, names."""
