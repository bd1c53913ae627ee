"""What a notebook calls and what the commands call: the layers below, composed. One file per task."""
