"""Countries by their codes of ISO 3166-1 alpha-2, as files name them."""

from typing import Annotated

from pydantic import BeforeValidator

__all__ = ["Country"]

_TEXT = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW "
)
_CODES = frozenset(_TEXT.split())
"""The 249 of the standard, and XK, which Kosovo uses."""


def _country(value: object) -> str:
    """Norway's code is `false` in YAML 1.1, and nothing else in a list of countries can be meant by it."""
    code = "NO" if value is False else value.upper() if isinstance(value, str) else ""
    if code not in _CODES:
        raise ValueError("must be codes of ISO 3166-1 alpha-2, e.g. DE, GB (not UK), US")
    return code


Country = Annotated[str, BeforeValidator(_country)]
