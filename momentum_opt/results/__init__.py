"""Results: run folder, best.json, evidence.json, tables (SPEC §15), and the report (§16)."""

import logging

# Where it cannot keep its list of fonts, it makes one for this process, and nobody needs to know.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
