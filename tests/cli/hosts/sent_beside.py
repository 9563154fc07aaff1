"""What `sent` imports."""


def twice(x):
    return 2 * x
