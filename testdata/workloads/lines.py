"""Text that is the same every time, for a terminal.

usage: lines.py type CHARACTERS_A_SECOND SECONDS
       lines.py scroll BLOCKS_A_SECOND LINES_A_BLOCK SECONDS
"""
import random
import sys
import time

WORDS = ("the quick brown gateway session frame buffer encode decode proxy kernel audit video stream packet user "
         "admin shell cursor window pixel region codec latency").split()
rnd = random.Random(42)


def line(length):
    text = ""
    while len(text) < length:
        text += rnd.choice(WORDS) + " "
        if rnd.random() < 0.2:
            text += str(rnd.randint(0, 99999)) + " "
    return text[:length]


def characters():
    while True:
        yield from line(78) + "\n"


def blocks(lines):
    while True:
        yield "".join(line(rnd.randint(60, 138)) + "\n" for _ in range(lines))


mode, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[-1])
pieces = characters() if mode == "type" else blocks(int(sys.argv[3]))
start = time.monotonic()
for i in range(int(rate * seconds)):
    sys.stdout.write(next(pieces))
    sys.stdout.flush()
    time.sleep(max(0.0, start + (i + 1) / rate - time.monotonic()))
