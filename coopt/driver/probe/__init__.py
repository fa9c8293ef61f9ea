"""Models as they are, asked what they do with feedback: a point on the map, and what a run would gain."""
