"""The programs here are run as programs, not imported."""

collect_ignore_glob = ["programs/*"]
