"""The report of a run (SPEC §16): the files of a run folder in, one self-contained HTML page and PNG figures out."""
