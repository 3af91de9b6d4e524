package webrtcserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeChannel is a data channel whose buffer the test drains.
type fakeChannel struct {
	mu        sync.Mutex
	sent      []string
	buffered  uint64
	threshold uint64
	onLow     func()
	err       error
}

func (c *fakeChannel) SendText(s string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.sent = append(c.sent, s)
	c.buffered += uint64(len(s))
	return nil
}

func (c *fakeChannel) BufferedAmount() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buffered
}

func (c *fakeChannel) SetBufferedAmountLowThreshold(th uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.threshold = th
}

func (c *fakeChannel) OnBufferedAmountLow(f func()) { c.onLow = f }

// drainTo is the browser reading until n bytes are left.
func (c *fakeChannel) drainTo(n uint64) {
	c.mu.Lock()
	low := c.buffered > c.threshold && n <= c.threshold
	c.buffered = n
	c.mu.Unlock()
	if low {
		c.onLow()
	}
}

func (c *fakeChannel) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.sent...)
}

func TestOutboxOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeChannel{}
		o := newOutbox(c)
		o.put(slotCursor, []byte("old cursor"))
		o.put(slotClipboard, []byte("clip 0"), []byte("clip 1"))
		o.put(slotCursor, []byte("cursor"))
		o.put(slotSize, []byte("size"))
		require.True(t, o.push([]byte("hello")))
		require.True(t, o.push([]byte("state")))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan bool)
		go func() { done <- o.run(ctx) }()
		synctest.Wait()
		require.Equal(t, []string{"hello", "state", "size", "clip 0", "clip 1", "cursor"}, c.got())
		o.push([]byte("later"))
		synctest.Wait()
		require.Equal(t, "later", c.got()[6])
		cancel()
		require.False(t, <-done)
	})
}

// A browser that does not read gets no shapes, and blocks nobody.
func TestOutboxOfASlowBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeChannel{buffered: highWater + 1}
		o := newOutbox(c)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go o.run(ctx)
		for i := range 1000 {
			o.put(slotCursor, fmt.Appendf(nil, "cursor %d", i))
			synctest.Wait()
		}
		require.Empty(t, c.got())
		for i := range outboxQueue {
			require.True(t, o.push([]byte("state")), i)
		}
		require.False(t, o.push([]byte("one too many")))
		c.drainTo(lowWater)
		synctest.Wait()
		got := c.got()
		require.Equal(t, "cursor 0", got[0], "what was taken before the buffer was full")
		require.Equal(t, "cursor 999", got[len(got)-1])
		require.Len(t, got, outboxQueue+2)
	})
}

func TestOutboxFinish(t *testing.T) {
	for _, c := range []struct {
		what  string
		reads bool
		took  time.Duration
	}{{"the browser reads", true, 100 * time.Millisecond}, {"the browser does not", false, flushTimeout}} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				channel := &fakeChannel{}
				o := newOutbox(channel)
				o.push([]byte("ended"))
				o.finish()
				require.True(t, o.push([]byte("never sent")))
				o.put(slotCursor, []byte("never sent"))
				start := time.Now()
				done := make(chan bool)
				go func() { done <- o.run(t.Context()) }()
				synctest.Wait()
				require.Equal(t, []string{"ended"}, channel.got())
				time.Sleep(100 * time.Millisecond)
				if c.reads {
					channel.drainTo(0)
				}
				require.True(t, <-done)
				require.Equal(t, c.took, time.Since(start))
			})
		})
	}
}

func TestOutboxOfAClosedChannel(t *testing.T) {
	o := newOutbox(&fakeChannel{err: errors.New("closed")})
	o.push([]byte("x"))
	require.False(t, o.run(t.Context()))
}

func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pacer
		start := time.Now()
		send := func(packets int, rate float64) time.Duration {
			at := time.Now()
			for range packets {
				require.NoError(t, p.wait(t.Context(), maxPacketBytes, rate))
			}
			return time.Since(at)
		}
		require.Zero(t, send(30, 10e6), "a small picture leaves at once")
		time.Sleep(time.Second)
		// 500 KB at 2.5 times 20 Mbit/s take 80 ms, less the burst.
		took := send(417, 20e6)
		require.InDelta(t, 72, took.Milliseconds(), 3)
		time.Sleep(time.Second)
		// 50 KB at 1.1 times 1 Mbit/s, less what the link carries in 100 ms.
		require.Zero(t, send(10, 1e6))
		took = send(32, 1e6)
		require.InDelta(t, 276, took.Milliseconds(), 5)
		time.Sleep(time.Minute)
		require.Zero(t, send(2, 1000), "two packets may always leave")
		require.Greater(t, time.Since(start), 2*time.Second)

		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errEnded)
		var err error
		for range 1000 {
			if err = p.wait(ctx, maxPacketBytes, 1000); err != nil {
				break
			}
		}
		require.ErrorIs(t, err, errEnded)
	})
}

func TestClipboardSplit(t *testing.T) {
	require.Len(t, splitClipboard(1, ""), 1)
	require.Len(t, splitClipboard(1, string(make([]byte, sentClipPartBytes))), 1)
	for _, msg := range splitClipboard(1, string(make([]byte, 3*sentClipPartBytes+1))) {
		require.LessOrEqual(t, len(msg), maxMessageBytes)
	}
}

func TestAssembly(t *testing.T) {
	part := func(id int64, n, of int, text string) *clipMessage { return &clipMessage{id, n, of, text} }
	for _, c := range []struct {
		what  string
		parts []*clipMessage
		want  string // of the last part; "" is not done
		fails int
	}{
		{"one part", []*clipMessage{part(1, 0, 1, "a")}, "a", 0},
		{"in order", []*clipMessage{part(1, 0, 3, "a"), part(1, 1, 3, "b"), part(1, 2, 3, "c")}, "abc", 0},
		{"not yet", []*clipMessage{part(1, 0, 3, "a"), part(1, 1, 3, "b")}, "", 0},
		{"a newer text wins", []*clipMessage{part(1, 0, 3, "a"), part(2, 0, 1, "x")}, "x", 0},
		{"a part is missing", []*clipMessage{part(1, 0, 3, "a"), part(1, 2, 3, "c")}, "", 1},
		{"refused once", []*clipMessage{part(1, 1, 9, "a"), part(1, 2, 9, "a"), part(1, 3, 9, "a")}, "", 1},
		{"the number of parts changes", []*clipMessage{part(1, 0, 3, "a"), part(1, 1, 2, "c")}, "", 1},
		{"another text's part", []*clipMessage{part(1, 0, 2, "a"), part(2, 1, 2, "c")}, "", 1},
		{"after a refusal", []*clipMessage{part(1, 1, 2, "a"), part(1, 0, 1, "again")}, "again", 0 + 1},
	} {
		t.Run(c.what, func(t *testing.T) {
			var a assembly
			var text string
			var done bool
			fails := 0
			for _, p := range c.parts {
				var err error
				if text, done, err = a.add(p); err != nil {
					fails++
				}
			}
			require.Equal(t, c.want, text)
			require.Equal(t, c.want != "", done)
			require.Equal(t, c.fails, fails)
		})
	}
}
