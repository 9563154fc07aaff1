"""What a run must reach: each goal compares figures of that run. Times are "at most", so 1/0.8 is 0.8 times as fast."""

from __future__ import annotations

from benchmarks.rpc.goals import Goal

OURS, FABRIC, BARE = "elsewhere", "Fabric 3", "asyncssh"
WELL, TIMEOUT, ALL = "seconds for all of them", "connect timeout + 1.3 x the healthy ones' seconds", "accounted for"

GOALS = (
    Goal("cold", OURS, 0.85, FABRIC),
    Goal("cold", f"{OURS}, CPU", 0.5, f"{FABRIC}, CPU"),
    Goal("cold", OURS, 1.15, BARE),
    Goal("warm", OURS, 2, FABRIC, least=True),
    Goal("warm", OURS, 0.9, BARE, least=True),
    Goal("one", OURS, 1 / 2, FABRIC),
    Goal("one", OURS, 1.11, BARE),
    Goal("new", OURS, 1 / 0.8, "tar through ssh"),
    Goal("existing", OURS, 1 / 0.5, "tar through ssh"),
    Goal("again", OURS, 1.5, "rsync"),
    *(
        goal
        for row in ("put", "get")
        for goal in (Goal(row, OURS, 1.2, FABRIC, least=True), Goal(row, OURS, 0.95, "scp", least=True))
    ),
    Goal("crowd", ALL, 1, "hosts", least=True),
    Goal("crowd", WELL, 1, TIMEOUT),
    Goal("crowd", "elsewhere: KB of each", 0.5, "paramiko: KB of each"),
)
