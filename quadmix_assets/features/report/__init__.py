"""The score report: statistics, tables and figures of what the criteria prefer."""
