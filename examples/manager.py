"""A dictionary and a list that live in a process of their own, for all others to change. See docs/examples.md."""

from elsewhere import Manager, Pool

text = "the cat and the dog and the bird"
with Manager() as manager, Pool() as pool:
    counts, seen = manager.dict(), manager.list()

    def count(word):
        seen.append(word)
        counts.increment(word)  # one step for all: nobody comes between reading and writing

    pool.map(count, text.split())
    print(sorted(counts.items()), len(seen))
