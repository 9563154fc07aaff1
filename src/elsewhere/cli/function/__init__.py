"""What a verb's FUNCTION means: where it is found (`target`), and what text becomes before it gets it (`convert`)."""
