"""What was answered, and what people later said was right: kept in a database, for feedback, monitoring and refits."""
