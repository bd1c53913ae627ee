"""Price data as exchanges, archives and trading frameworks write them in; `<TOKEN>_USD.parquet` out (`data import`)."""

from momentum_opt.market.importing.importer import import_prices
from momentum_opt.market.importing.reading import Columns
from momentum_opt.market.importing.request import ImportReport, ImportRequest, SourceReport

__all__ = [
    "Columns",
    "ImportReport",
    "ImportRequest",
    "SourceReport",
    "import_prices",
]
