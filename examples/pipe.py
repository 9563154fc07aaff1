"""Two processes talk over a pipe, with whatever can be pickled. See docs/examples.md."""

from elsewhere import Pipe, Process

here, there = Pipe()


def work():
    while (question := there.recv()) is not None:
        there.send({"question": question, "answer": len(question)})


process = Process(target=work)
process.start()
for question in ("Who?", "And why not?"):
    here.send(question)
    print(here.recv())
here.send(None)  # there is no more
process.join()
