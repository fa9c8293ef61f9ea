"""What others wrote, read: bounded in bytes, depth and digits, or refused in one line. No other reader is allowed."""
