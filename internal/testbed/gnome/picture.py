"""Covers the upper left of an X display with a picture, over everything else.

usage: DISPLAY=:N picture.py WIDTH HEIGHT FILE

FILE holds the pixels as blue, green, red and anything, row by row.
"""
import sys

from Xlib import X, display

dpy = display.Display()
width, height = int(sys.argv[1]), int(sys.argv[2])
with open(sys.argv[3], "rb") as f:
    pixels = f.read()
screen = dpy.screen()
picture = screen.root.create_pixmap(width, height, 24)
gc = picture.create_gc()
band = 48  # rows of a request, which may have 256 KiB
for y in range(0, height, band):
    rows = min(band, height - y)
    picture.put_image(gc, 0, y, width, rows, X.ZPixmap, 24, 0, pixels[4 * width * y : 4 * width * (y + rows)])
window = screen.root.create_window(
    0, 0, width, height, 0, 24, X.InputOutput, background_pixmap=picture, override_redirect=True
)
window.map()
dpy.sync()
while True:
    dpy.next_event()
