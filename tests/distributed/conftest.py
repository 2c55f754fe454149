"""Programs that are run on several ranks are no tests by themselves."""

collect_ignore_glob = ["ranks_*.py"]
