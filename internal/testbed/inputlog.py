"""Tells what comes from keyboard and pointer of an X display, one line each, as the display itself says it by the RECORD extension:
nanoseconds since 1970, and "key KEYSYM down", "button 1 up" or "motion X Y". The first line is "ready". For every SIGUSR1 there is
a line "mark" behind all that came before it: it goes to the display and comes back in the one stream that tells of input."""
import signal
import time

from Xlib import X, XK, display
from Xlib.ext import record
from Xlib.protocol import rq

asks, listens, marks = display.Display(), display.Display(), display.Display()
NO_OPERATION = 127
names = {getattr(XK, name): name.removeprefix("XK_") for name in dir(XK) if name.startswith("XK_")}


def keysym(event):
    """The name of the key in the keyboard's present map, which some servers change as keys come."""
    row = asks.get_keyboard_mapping(event.detail, 1)[0]
    shifted = bool(event.state & X.ShiftMask) and len(row) > 1 and row[1] != X.NoSymbol
    symbol = row[1 if shifted else 0]
    return names.get(symbol, hex(symbol))


def tell(event):
    if event.type in (X.KeyPress, X.KeyRelease):
        return f"key {keysym(event)} {'down' if event.type == X.KeyPress else 'up'}"
    if event.type in (X.ButtonPress, X.ButtonRelease):
        return f"button {event.detail} {'down' if event.type == X.ButtonPress else 'up'}"
    return f"motion {event.root_x} {event.root_y}"


def heard(reply):
    if reply.category == record.StartOfData:
        print("ready", flush=True)
    if reply.category == record.FromClient and reply.id_base == marks.display.info.resource_id_base:
        print("mark", flush=True)
    if reply.category != record.FromServer or reply.client_swapped:
        return
    data = reply.data
    while data:
        event, data = rq.EventField(None).parse_binary_value(data, listens.display, None, None)
        print(time.time_ns(), tell(event), flush=True)


def mark(*_):
    marks.no_operation()
    marks.sync()  # has a reply, and what is recorded comes with the output there is


signal.signal(signal.SIGUSR1, mark)
context = listens.record_create_context(0, [record.AllClients], [{
    "core_requests": (NO_OPERATION, NO_OPERATION), "core_replies": (0, 0), "ext_requests": (0, 0, 0, 0), "ext_replies": (0, 0, 0, 0),
    "delivered_events": (0, 0), "device_events": (X.KeyPress, X.MotionNotify), "errors": (0, 0),
    "client_started": False, "client_died": False,
}])
listens.record_enable_context(context, heard)
