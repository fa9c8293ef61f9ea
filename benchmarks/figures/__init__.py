"""Figures of README and the documents, written from the archives of ``benchmarks/results``.

A figure stands between two comments, which nobody sees on the page: ``<!--f KEY-->+1.1 [-0.1, 2.3]<!--/f-->``; a whole
table between ``<!--t KEY-->`` and ``<!--/t-->``, each on a line of its own. ``make figures`` writes what the archive
says into every place, ``python -m benchmarks.figures --check`` names the places that say something else.

    KEY      ARCHIVE NAME [FORM]
    ARCHIVE  suites/SUITE   suites/SUITE/ARM   leaderboard/RUN   a folder (break-rate, methods, graphs/ring ...)
             leaderboard: all entries, METHOD is then an entry's name
             ARCHIVE+ARCHIVE: their seeds together; ARCHIVE+: those of one
    NAME     what the archive's tables have, below
    FORM     how it is written; without one the first of those that the figure has

Names in an arm or a run (STUDENT s1; EDGE s2->s1; ROUND 0 is the start):

    change METHOD [STUDENT [DOMAIN]]      against the initial students, in the mean of what is not named
    native METHOD [STUDENT]               the same, in a student's own domain; foreign METHOD: in the others
    METHOD-METHOD [STUDENT]               methods compared
    score METHOD, rank METHOD K           mean score; gain of the student that was the K-th strongest at first
    mutual METHOD                         mutual Pareto improvement
    pareto METHOD                         how many students improve
    collapsed METHOD STUDENT              in how many seeds
    consensus METHOD ROUND                consensus distance
    open|shut METHOD [ROUND|EDGE]         rounds of edges in which the gate was so
    kept|revealed|leaked METHOD [EDGE]    messages of tutors;  accepted METHOD: rationales of a committee
    break|control|fix STATE CONTEXT [BIN] break-rates: STATE open, closed; CONTEXT paper, sf, f; BIN 0-1, 2-4, 5-6, 7
    ratio closed/open|other/native [matched] CONTEXT [native|other]
                                          of break-rates; matched: on the same tutees
    seconds METHOD on|off                 of a training step with feedback on or off
    oracle METHOD-METHOD                  where it lies on the way to the oracle
    seeds                                 which

In a suite: ``ARM:METHOD-ARM:METHOD`` (arms compared), ``table ARM`` (the arms that are compared with it), ``seeds``. On
the leaderboard change, native and score of a METHOD, METHOD-METHOD, seconds, seeds and ``table``. Of seeds together
METHOD-METHOD and seeds: with the answers of all of them an interval over seeds and questions, else t over the seeds.

Over the figures of an archive whose name fits a PATTERN (of a suite: over those of all its arms):
``smallest PATTERN``, ``largest PATTERN``, ``sum PATTERN`` (of counts), ``count IS PATTERN`` (IS: up, down, or a verdict
with hyphens, ``no-difference-shown``).

FORM of a difference: interval, point, range, per-seed, p, verdict, bold (the interval, bold where it is shown), size
(without its sign), half (value and half-width); of a score or share: interval, point, whole, n; of a count: of,
percent, percent1, percent2, part, whole; of mutual: verdict, raw, probability. Archives of version 1 have points only.
"""
