"""Which changes of the numeric packages the tests notice; run with `make mutation`."""
