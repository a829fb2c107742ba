"""What an input is: its objects, where they go, and whose part each of them is."""
