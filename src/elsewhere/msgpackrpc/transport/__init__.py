"""How messages travel: `tcp` is what a `builder` argument takes."""
