"""An acceptor of GSS-API by MIT's library, for tests: lines of hexadecimal in, lines out.

accept TOKEN -> TOKEN when complete, "more TOKEN" when not; unwrap TOKEN -> MESSAGE; wrap MESSAGE -> TOKEN;
mic MESSAGE -> TOKEN; name -> the client. "error ..." when a call fails. The key comes from KRB5_KTNAME.
"""
import ctypes
import sys

lib = ctypes.CDLL("libgssapi_krb5.so.2")
u32, ptr, ref = ctypes.c_uint32, ctypes.c_void_p, ctypes.byref


class Buffer(ctypes.Structure):
    _fields_ = [("length", ctypes.c_size_t), ("value", ctypes.c_void_p)]

    def bytes(self):
        return ctypes.string_at(self.value, self.length) if self.length else b""


def buffer(data):
    hold = ctypes.create_string_buffer(data, len(data))
    b = Buffer(len(data), ctypes.cast(hold, ctypes.c_void_p))
    b.hold = hold
    return b


context, client, minor, out = ptr(), ptr(), u32(), Buffer()


def check(major):
    if major & 0xFFFF0000:
        raise RuntimeError("major %#x minor %#x" % (major, minor.value))
    return out.bytes().hex()


def call(verb, data):
    global out
    out = Buffer()
    if verb == "accept":
        flags = u32()
        major = lib.gss_accept_sec_context(ref(minor), ref(context), None, ref(buffer(data)), None, ref(client), None,
                                           ref(out), ref(flags), None, None)
        token = check(major)
        return token if major == 0 else "more " + token
    if verb == "unwrap":
        conf = ctypes.c_int()
        text = check(lib.gss_unwrap(ref(minor), context, ref(buffer(data)), ref(out), ref(conf), None))
        if not conf.value:
            raise RuntimeError("not sealed")
        return text
    if verb == "wrap":
        return check(lib.gss_wrap(ref(minor), context, 1, 0, ref(buffer(data)), None, ref(out)))
    if verb == "mic":
        return check(lib.gss_get_mic(ref(minor), context, 0, ref(buffer(data)), ref(out)))
    if verb == "name":
        return check(lib.gss_display_name(ref(minor), client, ref(out), None))
    raise RuntimeError("unknown verb")


for line in sys.stdin:
    verb, _, data = line.strip().partition(" ")
    try:
        print(call(verb, bytes.fromhex(data)), flush=True)
    except RuntimeError as e:
        print("error", e, flush=True)
