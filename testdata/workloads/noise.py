"""A rectangle of noise in the top left corner that is another one now and then, and tells when.

Prints a line for each change: number, unix time in ns just before the drawing requests were sent.

usage: DISPLAY=:N noise.py WIDTH HEIGHT MEAN_INTERVAL SECONDS
"""
import random
import sys
import time

from Xlib import X, display

width, height, interval, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
dpy = display.Display()
screen = dpy.screen()
window = screen.root.create_window(0, 0, width, height, 0, screen.root_depth, override_redirect=1)
window.map()
dpy.sync()
gc = window.create_gc()
rnd = random.Random(5)
rows = max(1, 200_000 // (4 * width))  # in one request
end = time.monotonic() + seconds
number = 0
while time.monotonic() < end:
    time.sleep(interval * (0.75 + 0.5 * rnd.random()))
    picture = rnd.randbytes(4 * width * height)
    print(number, time.time_ns(), flush=True)
    for y in range(0, height, rows):
        n = min(rows, height - y)
        window.put_image(gc, 0, y, width, n, X.ZPixmap, screen.root_depth, 0, picture[4 * width * y:4 * width * (y + n)])
    dpy.sync()
    number += 1
window.destroy()
dpy.sync()
