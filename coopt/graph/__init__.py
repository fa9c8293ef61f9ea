"""Who tutors whom: topologies, generators, schedules, measures."""
