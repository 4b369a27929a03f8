"""The row that `make demo` runs, with a live screen and a report for people; the suite's oracle judges it."""
