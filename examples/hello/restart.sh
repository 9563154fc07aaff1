# Ends the server that runs, if there is one, and starts another: what `systemctl restart` does for yours.
set -eu
cd "$(dirname "$0")"
if [ -f ../hello.pid ] && old=$(cat ../hello.pid) && kill "$old" 2>/dev/null; then
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$old" 2>/dev/null && sleep 0.1 || break; done
fi
setsid python3 -m http.server 8080 --bind localhost --directory public </dev/null >../hello.log 2>&1 &
echo $! >../hello.pid
