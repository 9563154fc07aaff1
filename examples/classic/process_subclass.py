"""Three processes by subclass: what a process does stands in its method `run`. See docs/classic.md."""

from multiprocessing import Process  # or: from elsewhere import Process


class Greeter(Process):
    def __init__(self, whom):
        super().__init__()
        self.whom = whom

    def run(self):
        print(f"hello, {self.whom}")


if __name__ == "__main__":
    greeters = [Greeter(whom) for whom in ("Ada", "Grace", "Edsger")]
    for greeter in greeters:
        greeter.start()
    for greeter in greeters:
        greeter.join()
    print("exit codes:", [greeter.exitcode for greeter in greeters])
