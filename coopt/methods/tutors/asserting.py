"""What a clause says of the options that it mentions: that one is the answer, that some are not.

A clause is read as a string of the parts that its words play (``mentions.py``), so that what follows speaks of verbs
of choice, of links and of denials, and not of wordings.
"""

from __future__ import annotations

import re

from coopt.methods.tutors.mentions import Clause

_LINK = "[mMB:t1]*[B:][mMBt]*"
_NEAR = "[^OgQXW,]"
# How an option is asserted. Each pattern's group is the option; what stands before it may still deny it.
_ASSERTED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"N{_NEAR}{{0,8}}?[B:]{_NEAR}{{0,5}}(?P<o>O)",  # the answer (you want) is (labelled) B
        rf"R[NVw]?[B:]{_NEAR}{{0,3}}(?P<o>O)",  # correct: B
        r"RN{0,2}(?P<o>O)",  # the right answer B
        r"^N[pt]?(?P<o>O)$",
        rf"(?P<o>O){_LINK}R+(?:[NV]|$|[SI:])",  # B is right
        rf"(?P<o>O){_LINK}A(?:w{{0,2}}(?:$|[SI:])|N|w?p[ei])",  # B is the strongest
        rf"AN?w?B{_NEAR}{{0,3}}(?P<o>O)",  # the strongest acid is B
        r"(?P<o>O)[mMB:]*R(?:N|$)",
        rf"(?P<o>O){_LINK}[SI1]*R*N(?![pwL])",  # B is the answer
        rf"(?P<o>O){_LINK}w?[Hh].*M",  # B is what they want
        rf"(?P<o>O){_LINK}1(?!Rp)",  # B is the only one
        r"1(?P<o>O)[mM]*[FBG][^XWQ]*$",  # only B fits
        rf"1{_NEAR}{{1,8}}?B(?P<o>O)",  # the only one that fits is B
        r"1[^XWQg]*:?(?P<o>O)$",  # only one does, namely B
        rf"(?P<o>O){_LINK}[wN]{{1,3}}[SI][mB]*Mp?$",  # B is the thing you want
        rf"^w*H{_NEAR}{{1,12}}B(?P<o>O)",  # what vanishes is B
        r"(?:^|[iw])Ft?(?P<o>O)(?=$|x)",  # that fits B
        r"I[mMB]*Np(?P<o>O)$",  # I would bet on B
        r"I(?:[GVN][B:]|m+)(?P<o>O)$",  # my vote is B, I got B
        r"(?P<o>O)M+B[Vv]$",  # B should be circled
        r"(?P<o>O)1F",  # B alone fits
        r"iF[^OXWQS]{0,4}B(?P<o>O)",  # the one that holds is B
        r"i[mM]*G(?P<o>O)[AR]",  # that makes B the strongest
        r"NNm(?P<o>O)$",  # the answer key has B
        r"(?P<o>O)F(?:$|[R1eN:]|pe)",
        r"Mm?(?P<o>O)(?=$|[:kXx])",  # you want B
        r"^M+B:?(?P<o>O)$",  # should be: B
        r"V[NSI]*[pt]?(?P<o>O)(?![t&])",  # pick B
        r"v[NSI]*p?(?P<o>O)(?=$|[:kXx])",  # write B
        r"G[^OgQXW,B]{0,4}(?P<o>O)(?=$|[:kXxNRHF])",  # go with B, points to B
        r"i[mMt1]*B[mMB:t]*p?(?P<o>O)(?![wtp]|iS)",  # it has to be B
        r"(?P<o>O)iB$",  # B it is
        r"(?P<o>O)k[SI]*R*N",  # B as your answer
        rf"(?P<o>O){_LINK}[SI]R*V$",  # B should be your pick
        r"(?P<o>O)[wm][SI]N",  # B gets my vote
    )
)
_BUT_ONE = re.compile(r"[en].{0,3}[EL](?P<o>O)")  # none but B, nothing fits better than B
# Your choice of B is right; you are right to say B; you rightly say B.
_CONFIRMED = re.compile(r"SR?N?p?O[mMB:t1]*R+N?$|S[mMB]*[VGvm]R+N?O$|S[mB]*R[VvGti][VvGtiB]{0,3}O$")
_RATHER = re.compile("[FB:G]t?(?P<o>O)$")  # it matches B, and not C
_PUT_ASIDE = re.compile(",?x+g+$")
DENIED = re.compile("[XWQLn]")
_TOLD = re.compile("[^VGvC]*S[^M]*|p|pN?w?tB")  # also: for the answer to be B
_CHOSEN = re.compile("S[mMBR]*[VNvGp]{1,3}[NSIp]*O$|w?O$")
_DESCRIBED = re.compile("w?O(?:$|[BFGmMwHhNAR])")


def asserts(clause: Clause, first: bool) -> bool:
    """Does a clause name an option as the answer? ``first``: it begins a sentence."""
    parts = _PUT_ASIDE.sub("", clause.parts)
    rather = parts != clause.parts
    ends = not clause.rest or rather or (first and re.match("[cb]|.[cbXxpik&]", clause.rest))
    if parts in ("O", "OB", "OR", "RO") and ends:
        return True
    if "O" not in parts:
        return False
    if _BUT_ONE.search(parts) or (_CONFIRMED.match(parts) and not re.match(",?b", clause.rest)):
        return True
    if rather and (found := _RATHER.search(parts)) and not re.search("[XWQLn]|S.?[VvGN]", parts[: found.start("o")]):
        return True
    for pattern in _ASSERTED:
        for found in pattern.finditer(parts):
            before, after = parts[: found.start("o")], parts[found.start("o") :]
            if not (DENIED.search(before) or _TOLD.fullmatch(before) or "Q" in after[:6]):
                return True
    return False


def about_it(clause: Clause, follows: bool) -> Clause | None:
    """A clause that speaks of "it" as one that speaks of the option before; none if it only calls that right.
    ``follows``: it shares its subject with the clause before."""
    parts = clause.parts
    if clause.letters:
        return None
    if re.search("^w?i?Gi[RA]", parts):  # that makes it the best match
        return Clause("OBRN", {0: ""})
    if re.match("i[BmMF1].", parts) and not re.match("[iBm]+R", parts):
        return Clause("O" + parts[1:], {0: ""}, clause.rest)
    return Clause("O" + parts, {0: ""}, clause.rest) if follows and re.match("[BmMF].", parts) else None


def confirms(clause: Clause, told: bool = True) -> bool:
    """Does a clause after praise name what was praised: that the tutee chose an option, or (unless ``told``) that one
    alone or what it is like?"""
    chosen = (_CHOSEN if told else _DESCRIBED).match(clause.parts)
    return bool(chosen) and not DENIED.search(clause.parts) and not re.match(",?b", clause.rest)


def ruled_out(clause: Clause) -> set[str]:
    """The options of a clause that denies something."""
    if re.search("(?:Q|S(?![mM])).*[Og]", clause.parts) or not re.search("[XxWn]|OG(?:$|k)", clause.parts):
        return set()
    return set("".join(clause.letters.values()))
