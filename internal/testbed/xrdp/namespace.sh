#!/bin/sh
# The first process of the pid and mount namespaces of one xrdp: when it ends, all the rest ends with it.
# Nothing that is mounted or written here is seen outside, but for the folder it is told.
#
# arguments: FOLDER USER SESMAN_PORT
set -eu
folder=$1 user=$2 port=$3
trap 'exit 0' TERM INT

for file in /etc/passwd /etc/group /etc/shadow /etc/pam.d/xrdp-sesman; do
	mount --bind "$folder/accounts/$(basename $file)" $file
done
mount --bind "$folder/etc" /etc/xrdp
mount -t tmpfs -o mode=755 tmpfs /home
mkdir "/home/$user"
mount --bind "$folder/home" "/home/$user"
# A private /tmp keeps lock files and sockets of the X server to ourselves; without the system's /run no
# login manager or message bus hears of the session.
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -m 1777 /tmp/.X11-unix /tmp/.ICE-unix
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/xrdp/sockdir
chmod 3777 /run/xrdp/sockdir

xrdp-sesman -n &
hex=$(printf ':%04X' "$port")
# Up to 0.9 it listens at the port, later at a socket.
until [ -S /run/xrdp/sesman.socket ] || grep -qi "$hex 0*:0000 0A" /proc/net/tcp /proc/net/tcp6; do
	kill -0 $! || exit 1
	sleep 0.05
done
xrdp -n &
wait $!
