"""What Graph says when it refuses a subscription, in its own words and without data: a vocabulary decides, no pattern.

Graph has one code for many refusals; only its sentence says which. It may quote URLs, ids, tenants' and people's names,
so a word is kept only if it is one of those that Graph's refusals are made of.
"""

__all__ = ["without_data"]

_LONGEST = 200
_GAP = "…"
_READ = 2000
"""Characters that are looked at; a sentence of Graph's has some hundred."""
_OPENING, _CLOSING = "([\"'", ".,:;)]\"'"
_NUMBERS = frozenset({*map(str, range(100, 600)), "10", "45", "128", "1000", "4230"})
"""Statuses of HTTP and Graph's limits; a longer number, or one beside another, may be a phone's."""
_VOCABULARY = """
a about access according account active admin administrator after all allowed already an and another api app
application applications are as at authentication authorization authorized available bad badgateway badrequest be
because been before being body but by call called callrecord callrecord-pstncalls.read.all callrecords
callrecords.read.all can canceled cancelled cannot certificate change changetype characters check claims client
clientstate code communications configured conflict connection consent contain contains could create created creation
credentials delegated delete denied details did directory disabled does domain due duplicate empty enabled encryption
endpoint error errors established exactly exceeded exceeds exception exist existing exists expected expiration
expirationdatetime expired extensionerror failed failure fields filter first for forbidden format found from future
gateway gatewaytimeout get granted graph greater has have header host hour hours http https id identity in incorrect
insufficient internal internalservererror invalid invalidrequest is it known least length less licence license
lifecycle lifecyclenotificationurl limit limits longer match maximum message method methodnotallowed microsoft minimum
minutes missing must name network no not notfound notification notifications notificationurl null object of off ok on
one only operation operations or organisation organization out parameter patch payload per perform permission
permissions plain please policy post privileges procedure property provided query quota reached read reason received
redirect refused remote renew request requested requests requesttimeout required requires resolved resource respond
responded response retry returned role roles scope scopes seconds secure server service serviceunavailable set should
specified ssl state status subscription subscriptions such support supported task tenant text than that the their them
this time timed timeout tls to token tokens too toomanyrequests try unable unauthorized unavailable unexpected unknown
unsupported update updated url user user.read.all valid validated validation validationtoken value version was we were
when which while will with within without write wrong you your
"""
_WORDS = frozenset(_VOCABULARY.split())


def without_data(message: str) -> str:
    """Graph's sentence with `…` for every word outside the vocabulary, 200 characters at most; empty for none."""
    pieces = [_marks_and_word(piece) for piece in _pieces(message)]
    words = [word for _, word, _ in pieces]
    kept = [
        f"{before}{word}{after}" if _is_kept(word, words[at - 1 : at], words[at + 1 : at + 2]) else _GAP + _end(after)
        for at, (before, word, after) in enumerate(pieces)
    ]
    sentence = " ".join(piece for at, piece in enumerate(kept) if piece != _GAP or at == 0 or kept[at - 1] != _GAP)
    return sentence if len(sentence) <= _LONGEST else sentence[: _LONGEST - 1].rstrip() + _GAP


def _pieces(message: str) -> list[str]:
    """What stands between spaces; a word that is cut off cannot be known."""
    if len(message) <= _READ:
        return message.split()
    return [*message[:_READ].split()[:-1], _GAP]


def _marks_and_word(piece: str) -> tuple[str, str, str]:
    """What stands between two spaces: marks before it, the word, marks behind it."""
    rest = piece.lstrip(_OPENING)
    word = rest.rstrip(_CLOSING)
    return piece[: len(piece) - len(rest)], word, rest[len(word) :]


def _end(marks: str) -> str:
    """Of the marks behind a word that is left out those that end a sentence or a part of it."""
    return "".join(mark for mark in marks if mark in ".,:;")


def _is_kept(word: str, before: list[str], after: list[str]) -> bool:
    """A number of Graph's that stands alone, or a word of the vocabulary."""
    if word in _NUMBERS:
        return not any(character.isdigit() for neighbour in (*before, *after) for character in neighbour)
    return word.lower() in _WORDS
