"""Moves the window with a title along a Lissajous path.

usage: DISPLAY=:N mover.py TITLE SECONDS MOVES_A_SECOND
"""
import math
import sys
import time

from Xlib import display

dpy = display.Display()
title, seconds, rate = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])


def find(window):
    for child in window.query_tree().children:
        if child.get_wm_name() == title:
            return child
        if found := find(child):
            return found
    return None


window = find(dpy.screen().root)
if window is None:
    sys.exit(f"no window is called {title}")
start = time.monotonic()
for i in range(int(seconds * rate)):
    t = i / rate
    window.configure(x=int(500 + 380 * math.sin(t * 1.3)), y=int(330 + 250 * math.sin(t * 1.7)))
    dpy.flush()
    time.sleep(max(0.0, start + (i + 1) / rate - time.monotonic()))
