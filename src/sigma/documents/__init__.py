"""Generated documents: the receipt as a PDF, and mails."""
