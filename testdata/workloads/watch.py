"""Tells when the beacon's square is seen to change on a display, as a window there shows it.

Prints a line for each colour: red, green, blue, unix time in ns just after the server gave the pixel.

usage: DISPLAY=:N watch.py SECONDS
"""
import sys
import time

from Xlib import X, display

seconds = float(sys.argv[1])
dpy = display.Display()
root = dpy.screen().root
end = time.monotonic() + seconds
last = None
while time.monotonic() < end:
    data = root.get_image(32, 32, 1, 1, X.ZPixmap, 0xFFFFFFFF).data
    now = time.time_ns()
    if data != last:
        last = data
        print(data[2], data[1], data[0], now, flush=True)
    time.sleep(0.001)
