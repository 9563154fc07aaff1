# Ends the server that runs, if there is one, and starts another: what `systemctl restart` does for yours.
set -eu
cd "$(dirname "$0")"
if [ -f ../hello.pid ] && kill "$(cat ../hello.pid)" 2>/dev/null; then
    while kill -0 "$(cat ../hello.pid)" 2>/dev/null; do sleep 0.1; done
fi
setsid python3 -m http.server 8080 --bind localhost --directory public </dev/null >../hello.log 2>&1 &
echo $! >../hello.pid
