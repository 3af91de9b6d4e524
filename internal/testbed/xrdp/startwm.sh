#!/bin/sh
# The desktop of a session: a window manager and a terminal, the same each time and still. It says in
# ~/sessions/:N when all of it shows, and ends when the terminal does or somebody writes to ~/logoff.
export LC_ALL=C.UTF-8 PS1='$ ' ENV='' HISTFILE=''
cd "$HOME" || exit 1
xhost +si:localuser:root # the test's own tools
xset s off
xsetroot -solid '#336699'
openbox --sm-disable &
until xprop -root _NET_SUPPORTING_WM_CHECK | grep -q 'window id'; do sleep 0.05; done
xterm -fa 'DejaVu Sans Mono' -fs 10 -geometry 80x24+40+40 -T session -e sh /etc/xrdp/command.sh &
terminal=$!
until xdotool search --onlyvisible --name '^session$'; do
	kill -0 $terminal || exit 1
	sleep 0.05
done
mkdir -p sessions
[ -p logoff ] || mkfifo logoff
{
	read -r _ <logoff
	kill $terminal
} &
display=${DISPLAY%.*} # without the screen
touch "sessions/$display"
wait $terminal
rm -f "sessions/$display"
