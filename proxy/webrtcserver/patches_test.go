package webrtcserver

import (
	"context"
	"encoding/binary"
	"image"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// TestAppendNote: the very bytes that the console's tests read (web/src/viewer/patches/wire.test.ts).
func TestAppendNote(t *testing.T) {
	n := &stream.Note{Number: 129, Epoch: 2, Size: image.Pt(100, 40), Groups: []stream.Group{
		{Patch: 0, Runs: []stream.BlockRun{{Start: 1, Len: 3}, {Start: 8, Len: 1}}},
		{Patch: 9, Runs: []stream.BlockRun{{Start: 20, Len: 1}}},
	}}
	require.Equal(t, []byte{
		1, 0x81, 1, 2, 0xff, 0xee, 0xdd, 0xcc, 100, 40,
		0, 2, 1, 3, 4, 1,
		9, 1, 20, 1,
	}, appendNote(nil, n, 0xffeeddcc))
}

// TestAppendPatch: likewise, but for the pixels.
func TestAppendPatch(t *testing.T) {
	p := &stream.Patch{Number: 9, Epoch: 1, Size: image.Pt(100, 40), Parts: []stream.Part{
		{Blocks: image.Rect(0, 0, 7, 1), Pixels: image.Rect(0, 0, 100, 16)},
		{Blocks: image.Rect(5, 2, 7, 3), Pixels: image.Rect(83, 33, 99, 40), Bases: []uint32{7, 4}},
	}}
	require.Equal(t, []byte{
		2, 9, 1, 0xff, 0xee, 0xdd, 0xcc, 100, 40, 2,
		0, 0, 7, 1, 0,
		5, 2, 2, 1, 2, 3, 1, 16, 7, 2, 5,
	}, appendPatch(nil, kindPatch, p, 0xffeeddcc, nil))
}

// TestAppendLook: likewise.
func TestAppendLook(t *testing.T) {
	p := &stream.Patch{Number: 9, Epoch: 1, Size: image.Pt(300, 140), Parts: []stream.Part{
		{Blocks: image.Rect(17, 8, 19, 9), Pixels: image.Rect(272, 128, 300, 140)},
	}}
	require.Equal(t, []byte{
		4, 9, 1, 0xff, 0xee, 0xdd, 0xcc, 0xac, 2, 0x8c, 1, 3, 0x81, 1, 2, 1,
		17, 8, 2, 1, 0,
	}, appendPatch(nil, kindRestored, p, 0xffeeddcc, &stream.Look{Cell: 3, Turn: 129, Slot: 2}))
}

// TestPatchLane opens the channel and gets notes that name units as their packets do; when the browser closes it, the lane ends.
func TestPatchLane(t *testing.T) {
	s := newSession(t)
	b := newBrowser(t, channelControl)
	unordered := false
	channel, err := b.pc.CreateDataChannel(channelPatches, &webrtc.DataChannelInit{Ordered: &unordered})
	require.NoError(t, err)
	messages := make(chan []byte, 16)
	channel.OnMessage(func(m webrtc.DataChannelMessage) { messages <- m.Data })
	b.connect(s, alice, RoleControl)
	receive(t, s.video.added, "the sink")
	l := receive(t, s.video.lanes, "the lane")
	s.video.mu.Lock()
	require.Contains(t, s.video.sinks, l.of, "the lane is that of the viewer's sink")
	s.video.mu.Unlock()

	s.video.show(unit(1500*time.Millisecond, 30))
	receive(t, b.units, "the unit")
	require.NoError(t, l.out.WriteNote(t.Context(), &stream.Note{Number: 1, Epoch: 1, PTS: 1500 * time.Millisecond, Size: image.Pt(64, 64)}))
	note := receive(t, messages, "the note")
	require.Equal(t, []byte{1, 1, 1}, note[:3])
	require.Equal(t, (<-b.packets).Timestamp, binary.BigEndian.Uint32(note[3:]))

	require.NoError(t, channel.Close())
	receive(t, s.video.gone, "the end of the lane")
}

func TestPatchPace(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	const rate = 8e6 // 1000 bytes take a millisecond
	never := func() int { return 1 << 30 }
	var p patchPace
	require.NoError(t, p.wait(ctx, 1000, rate, never), "a patch that the link carries in a millisecond")
	require.NoError(t, p.wait(ctx, 1000, rate, never))

	// arrives is a link that has all but `left` bytes at the n-th look.
	arrives := func(n, left int) func() int {
		return func() int {
			if n--; n > 0 {
				return never()
			}
			return left
		}
	}
	began := time.Now()
	require.NoError(t, p.wait(ctx, 1e9, rate, arrives(3, 0)))
	require.Less(t, time.Since(began), patience, "it has arrived, sooner than the estimate says")
	require.NoError(t, p.wait(ctx, 1000, rate, never), "what has arrived is not waited for again")
	require.Equal(t, patchOpen, p.open, "however much it was")

	p = patchPace{}
	require.NoError(t, p.wait(ctx, 13_000, 1000, arrives(2, patchSlack)))
	require.Equal(t, 13_000, p.open, "the next patch may follow while this one is under way")
	require.NoError(t, p.wait(ctx, 13_000, 1000, arrives(1, 13_000)))
	require.Equal(t, 13_000, p.open, "which tells nothing new of the link")
	require.NoError(t, p.wait(ctx, 13_000, 1000, arrives(4, 13_000)), "one has arrived of two")
	require.Equal(t, 26_000, p.open)
	require.NoError(t, p.wait(ctx, 13_000, 1.2e6, never), "the link has become slow")
	require.Zero(t, p.open)

	cancel(errEnded)
	require.ErrorIs(t, p.wait(ctx, 1_000_000, rate, never), errEnded, "a second's worth of patches waits")
}
