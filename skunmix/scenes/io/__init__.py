"""Reading and writing of scenes on disk."""
