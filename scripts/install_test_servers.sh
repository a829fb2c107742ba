#!/bin/sh
# Installs what the tests start themselves: a Docker daemon, busybox for its images, a
# registry, and Ceph with its S3 server. Also the shells whose completion is tested.
# Does nothing where all is there, and where it may not (tests then say what is missing).
set -eu

need=""
command -v dockerd >/dev/null 2>&1 || [ -x /usr/sbin/dockerd ] || need="$need docker.io"
command -v docker-registry >/dev/null 2>&1 || need="$need docker-registry"
[ -x /bin/busybox ] || need="$need busybox-static"
command -v radosgw >/dev/null 2>&1 || need="$need radosgw ceph-mon ceph-osd"
command -v zsh >/dev/null 2>&1 || need="$need zsh"
command -v fish >/dev/null 2>&1 || need="$need fish"
[ -n "$need" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed:$need (needs root on Debian); tests that need them will say so" >&2
    exit 0
fi
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need >/dev/null
