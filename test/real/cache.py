# Values by key, of which the oldest go once there are many. PYTHONMALLOC=malloc: all of it is libc's.
import os
import sys
import time

if os.environ.get("PYTHONMALLOC") != "malloc":
    os.environ["PYTHONMALLOC"] = "malloc"
    os.execv(sys.executable, [sys.executable, *sys.argv])
cache, key = {}, 0
while True:
    for _ in range(10):
        cache[key] = bytes(200 + key % 300)
        key += 1
        if len(cache) > 10000:
            del cache[next(iter(cache))]
    time.sleep(0.02)
