"""What people's models write as their answer: letters, words, numbers."""
