"""The room that starts workers, drives them, and carries calls to them and answers back."""
