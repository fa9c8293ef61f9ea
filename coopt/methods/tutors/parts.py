"""The words of those who name an answer, by the part that each plays: one character a part (``mentions.py``)."""

from __future__ import annotations

import re

# The parts that words play. A word that is not here plays none ("w").
_PARTS = {
    "A": "foremost",
    "N": """answer answers option choice letter one response solution pick alternative ans key vote guess bet money
        winner label ticket verdict conclusion result selection confidence preference""",
    "R": """correct right best proper intended expected true final actual obvious keyed winning accurate valid
        correctly rightly ✓ ✔ ☑ ✅ sound justified required appropriate""",
    "B": """is was are be been being were 's 're 'm reads read equals seems looks sounds appears feels lies named
        called labelled labeled marked happens turns stays becomes""",
    "m": "would can could has have had having to do does did 'd 've shall get gets got",
    "M": "will 'll should must need needs want wanted wants ought supposed looking seeking asking better know find",
    "V": """pick choose chose chosen select selected opt tick circle submit bubble lock picked ticked circled
        recommend suggest prefer endorse identified identify picks selects chooses""",
    "v": """mark take took taken taking enter write wrote written say said says saying give put try use respond pencil
        trust shade fill keep""",
    "C": "change switch swap move revise replace amend update",
    "G": """go goes going gone went settle settled point points pointing lead leads leading leave leaves leaving left
        bring brings land lands arrive arrives come comes converge bets lean stick boils narrow narrows narrowed
        end ends vote voting give gives yields yield indicates means makes make making confirms favours favors
        supports proves shows identifies singles tells tell remains head conclude concludes stand agree agreed
        leaning stay""",
    "F": """fits fit works work matches match survives remains wins stands holds satisfies answers explains stays
        prevails corresponds agrees suits suit satisfy passes beats beat""",
    "X": "not never neither nor cannot hardly n't without scarcely",
    "n": "no none nobody nothing",
    "W": """wrong incorrect false worst mistake mistakes error errors trap traps tempting tempted temptation tempts
        distractor fail fails failed ruled eliminate eliminated exclude excluded discard cross reject rejected
        impossible contradicts violates rule rules drop drops dropped avoid doubt strike struck scrap scratch
        ditch crossed eliminates excludes eliminating ✗ ✘ ❌ ✖ discarded dismiss dismissed inconsistent unsuitable""",
    "S": """you your yours student student's attempt they he she their his her others most many people students
        someone anyone somebody attempt's""",
    "I": "i we my our me us mine",
    "Q": """if suppose supposing assume assuming whether unless why how when imagine before until claim claims idea
        belief assumption choosing picking selecting argument thinking hypothetically argue""",
    "L": "compare between among versus both either than unlike over beyond like against from",
    "E": "except but besides excluding save",
    "e": "everything all each every everyone anything any other rest",
    "H": "what whatever",
    "h": "where",
    "i": "it this that these which those",
    "1": "only sole solely exclusively alone",
    "u": "may might maybe perhaps possibly",
    "k": "as",
    "t": "to",
    "p": "of in for with at on by under about towards toward into through upon",
    "&": "and or / &",
    ",": ",",
    ":": ": | namely = => -> → ⇒ - – — == -->",
    "c": "because since so thus hence therefore ergo then once",
    "b": "but while whereas yet although though however",
    "": """the a an clearly indeed definitely surely obviously simply just really very here there please honestly
        well certainly absolutely undoubtedly plainly also ( ) [ ] " ' ... instead rather now again down still
        quite perfectly exactly nicely precisely simply straight ahead safely probably likely hint actually given
        .""",
}
# Said beside the point: with them out of the way, what is said is nearer to its verb.
ASIDE = re.compile(
    r"\b(?:i\.e\.,?|of (?:all|them all|the (?:three|four|five|lot))|(?:this|that|which)(?: is|'s) why"
    r"|(?:in|on|from) the (?:list|sheet|page|options|choices)|for (?:sure|certain|this (?:one|question|item|problem))"
    r"|without (?:a |any )?(?:shadow of a )?doubt|no doubt|no question|beyond (?:any |a )?doubt|hands down|all the way"
    r"|of course|in fact|in (?:my|our) (?:view|opinion|book)|if (?:you ask me|i (?:were|was) you|i had to \w+|in doubt)"
    r"|if needed|after all(?: that)?|by far|all along|(?:this|next) time|at the end of the day|to me|in the end)\b"
    r"|\b100 ?%",
    re.IGNORECASE,
)
# What is lettered and no option: "point B", "vitamin A".
LABELLED = frozenset(
    """point points plan vitamin hepatitis group grade class ball balls block mass body figure fig case step part
    complex type step stage phase line section table panel graph curve car particle object system region
    area side angle vertex node team person student sample tube beaker flask compound substance element
    molecule species gene allele strain virus influenza antigen protein enzyme factor formula equation theorem lemma
    variable constant coefficient matrix vector event field plane circuit resistor capacitor lamp wire charge
    planet star tank container gas liquid metal reaction reactant product process path route trial experiment
    category level appendix chapter exhibit subunit chain ring band layer cell site position location station train
    ship town city country company drug treatment schedule series apolipoprotein immunoglobulin blood""".split()
)
NTH = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4}
NUMBER = {"one": 0, "two": 1, "three": 2, "four": 3, "five": 4}
CLASS = {word: part for part, words in _PARTS.items() for word in words.split()}
# Phrases that are as good as one word.
PHRASES = tuple(
    (re.compile(rf"\b(?:{phrase})\b", re.IGNORECASE), word)
    for phrase, word in (
        (r"spot[ -]on|bang[ -]on|checks out|right on|on the (?:mark|money)", "correct"),
        (r"(?:comes?|came) out on top|makes?(?: \w+)? sense", "fits"),
        (r"(?<='re )after|(?<=are )after|(?<=were )after|(?<=was )after|(?<=is )after", "want"),
        (r"most \w+(?:able|ible|al|ate|ic|ful|ive|ent|ant|ous|likely)", "foremost"),
        (r"(?:is|are) better off(?: with)?|be better off(?: with)?", "should choose"),
        (r"correct(?= your| the (?:answer|letter|choice))", "change"),
        (r"(?:you|we)(?: a|')re left with", "that leaves"),
        (r"what (?:the|this) (?:question|problem|stem|examiner) \w+(?: for)?|the way to go", "the answer"),
        (r"turn(?:s|ed) out to be", "is"),
        (r"(?<=is )out|(?<=are )out", "wrong"),
        (
            r"(?:(?:great|good|nice|excellent|well) (?:job|work|done|call)(?: (?:on|for|in|with))?"
            r" (?:choosing|picking|selecting|identifying|spotting)|full marks for)",
            "correct:",
        ),
    )
)
