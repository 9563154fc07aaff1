"""What pickles from hosts may name, and how objects of it are made."""
