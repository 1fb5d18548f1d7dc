#!/bin/busybox sh
# PID 1 of a guest. The kernel's console is ttyS0; what the tests say goes to ttyS1, so that the two
# never mix. /plan holds what to run: one shell line a step.
/bin/busybox mkdir -p /bin /sbin /proc /sys /dev /tmp /run /root
/bin/busybox --install -s /bin
export PATH=/app/node_modules/.bin:/bin:/sbin HOME=/root TERM=linux
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# Only a leaf may hold processes once controllers are handed down.
mkdir /sys/fs/cgroup/init
echo 1 > /sys/fs/cgroup/init/cgroup.procs
echo "+memory +pids" > /sys/fs/cgroup/cgroup.subtree_control
ip link set lo up
echo /tmp/core > /proc/sys/kernel/core_pattern
if [ -f /modules/order ]; then
  while read -r module; do
    insmod "/modules/$module" || echo "mem-watcher: cannot load $module" > /dev/kmsg
  done < /modules/order
fi
if grep -q mw.swap /proc/cmdline; then
  echo 512M > /sys/block/zram0/disksize
  mkswap /dev/zram0 > /dev/null
  swapon /dev/zram0
fi
cd /app
if grep -q mw.shell /proc/cmdline; then
  echo "The repository is in /app; node is on the PATH. Leave by exit or Ctrl-A x."
  setsid cttyhack sh
else
  stty -F /dev/ttyS1 raw
  echo "mem-watcher: start" > /dev/kmsg
  echo "@@start $(uname -r)" > /dev/ttyS1
  sh /plan < /dev/null > /dev/ttyS1 2>&1
  echo "@@end" > /dev/ttyS1
fi
sync
poweroff -f
