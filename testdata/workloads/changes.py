"""Tells when the picture of a display changes, whoever draws on it.

Prints a line for each change, though for no more than one a millisecond: number, unix time in ns just after it was drawn.

usage: DISPLAY=:N changes.py
"""
import time

from Xlib import display
from Xlib.ext import damage

dpy = display.Display()
dpy.damage_query_version()
dpy.screen().root.damage_create(damage.DamageReportRawRectangles)
number, last = 0, 0
while True:
    dpy.next_event()
    now = time.time_ns()
    if now - last >= 1_000_000:
        print(number, now, flush=True)
        number, last = number + 1, now
