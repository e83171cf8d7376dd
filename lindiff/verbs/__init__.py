"""The verbs of the command line, by subject: what they take, and what they call and print."""
