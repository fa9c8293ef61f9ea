"""What people look at: tables, pages, figures, the leaderboard."""
