"""How a token may be named: the name becomes part of file names and of parameter names."""

import re
from typing import Final

TOKEN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
