#!/bin/sh
# own_systemd.sh RUN: a `systemd --user` for a test, to whom the whole world is read-only but for the folder RUN.
#
# Called as the first process of mount and pid namespaces: unshare --mount --pid --fork --kill-child --mount-proc. It
# knows the units in RUN/units, those installed for its user, and no others: those of the machine would set about tidying it up.
set -eu
run=$1

if [ $# -eq 1 ]; then
    # A control group of its own to begin with, so that it does not look for others' processes to move.
    mkdir -p "$run/cgroup" "$run/runtime" "$run/none"
    chmod 700 "$run/runtime"
    mount -t cgroup2 none "$run/cgroup"
    mkdir "$run/cgroup/$(basename "$run")"
    echo 0 >"$run/cgroup/$(basename "$run")/cgroup.procs"
    unshare --cgroup sh "$0" "$run" within
    exit
fi

umount -R /sys/fs/cgroup
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/kept
mkdir -p -m 000 /run/systemd/inaccessible/dir  # what is hidden from a service is covered with these
touch /run/systemd/inaccessible/reg
chmod 000 /run/systemd/inaccessible/reg
mount --bind "$run" /run/kept
mount -t tmpfs none /var/tmp
mount -t tmpfs none /tmp
mkdir -p "$run"
mount --move /run/kept "$run"
awk '{print $2}' /proc/self/mounts | sort -ru | while read -r at; do
    case $at in
    "$run" | "$run"/* | /run | /tmp | /var/tmp | /proc | /dev | /dev/*) ;;
    *) mount -o remount,bind,ro "$at" 2>/dev/null || true ;;
    esac
done
for at in / /etc /home /root /srv /usr /var /var/lib /var/log; do
    if [ -d "$at" ] && (: >"$at/.rosterd-test") 2>/dev/null; then
        rm -f "$at/.rosterd-test"
        echo "$at could be written to: systemd was not started"
        exit 1
    fi
done
mount -t cgroup2 none /sys/fs/cgroup
mount --make-rprivate /
mount --make-rshared /  # with nobody outside: systemd mounts credentials where the service will see them
env -i PATH="$PATH" HOME="$run" XDG_RUNTIME_DIR="$run/runtime" XDG_CONFIG_HOME="$run/config" \
    SYSTEMD_UNIT_PATH="$run/config/systemd/user:$run/units" \
    SYSTEMD_GENERATOR_PATH="$run/none" SYSTEMD_ENVIRONMENT_GENERATOR_PATH="$run/none" \
    /lib/systemd/systemd --user --unit=basic.target --log-target=console
