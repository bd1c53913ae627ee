"""Price data as exchanges, archives and trading frameworks write them in; `<TOKEN>_USD.parquet` out (`data import`)."""

from momentum_opt.market.importing.importer import import_prices
from momentum_opt.market.importing.layouts import TEXT_FORMATS, Columns
from momentum_opt.market.importing.request import ImportReport, ImportRequest, SourceReport
from momentum_opt.market.importing.times import TIME_UNITS

__all__ = [
    "TEXT_FORMATS",
    "TIME_UNITS",
    "Columns",
    "ImportReport",
    "ImportRequest",
    "SourceReport",
    "import_prices",
]
