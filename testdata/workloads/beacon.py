"""A 64x64 square in the top left corner that changes its colour now and then and tells when.

Prints a line for each change: number, colour index, unix time in ns just before the drawing requests were sent.

usage: DISPLAY=:N beacon.py SECONDS MEAN_INTERVAL [SEED]
"""
import random
import sys
import time

from Xlib import X, display

COLOURS = (0xFF0000, 0x00FF00, 0x0000FF, 0xFFFF00, 0xFF00FF, 0x00FFFF, 0xFFFFFF)
seconds, interval = float(sys.argv[1]), float(sys.argv[2])
dpy = display.Display()
screen = dpy.screen()
window = screen.root.create_window(0, 0, 64, 64, 0, screen.root_depth, background_pixel=0, override_redirect=1,
                                   event_mask=X.ExposureMask)
window.map()
dpy.sync()
gc = window.create_gc()
rnd = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 3)
time.sleep(0.5)
end = time.monotonic() + seconds
number = 0
while time.monotonic() < end:
    time.sleep(interval * (0.5 + rnd.random()))
    window.configure(stack_mode=X.Above)
    gc.change(foreground=COLOURS[number % len(COLOURS)])
    window.fill_rectangle(gc, 0, 0, 64, 64)
    print(number, number % len(COLOURS), time.time_ns(), flush=True)
    dpy.sync()
    number += 1
time.sleep(interval)  # the last colour is a change like the others
window.destroy()
dpy.sync()
