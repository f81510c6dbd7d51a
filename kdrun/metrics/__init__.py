"""Numbers that describe networks and compare runs: quality, cost, paired statistics. Free of torch itself."""
