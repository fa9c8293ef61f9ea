"""The words with which an answer is announced, as parts of regular expressions (in any case: ``(?i:...)``).

What a tutor may not say (``coopt.methods.tutors.sanitise``), and where a lenient reader looks for an answer.
"""

NOUN = r"(?:answer|option|choice|letter)"
LEAD = rf"(?:final\s+answer|(?:the\s+)?(?:correct|right|best)\s+{NOUN}|the\s+answer|\banswer)"
ABOUT = r"(?:\s+(?:to|for|among|from|here)\b[^.\n:]{0,60}?(?=[\s*_:=]))?"
"""What may stand between LEAD and LINK: "the answer to this question is"."""
_ADVERB = r"(?:\s*,?\s*(?:therefore|thus|hence|so|clearly|indeed|then|most\s+likely)\b\s*,?)?"
LINK = (
    rf"{_ADVERB}[\s*_]*(?:(?:is|are|was|should\s+be|must\s+be|would\s+be|:|=){_ADVERB}[\s*_:]*(?:option|choice|letter)?"
    r"|(?=\s*\())"
)
