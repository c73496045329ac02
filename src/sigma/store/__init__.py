"""What is remembered: tables, statements, and the two databases they run on."""
