"""Tables as files for spreadsheet programs, CSV and XLSX, written in parts."""
