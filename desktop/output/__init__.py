"""What a scan writes: JSON lines, a spreadsheet, a report page, a table, and progress."""
