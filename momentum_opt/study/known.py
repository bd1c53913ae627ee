"""Known parameters that a search begins with: a fingerprint in, whether it can do without them out. Light."""

from collections.abc import Sized

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import Fingerprint


def require_known(fingerprint: Fingerprint, known: Sized) -> None:
    """Refuse ranges around known parameters where there are none.

    Raises:
        ConfigError: a line for each such range.
    """
    around = [name for name, override in fingerprint.search.parameters.items() if override.around is not None]
    if around and not known:
        raise ConfigError(
            [
                f"search.parameters.{name}.around: no known parameters to search around; give some with --from, "
                "or low and high"
                for name in around
            ]
        )
