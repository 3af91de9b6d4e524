package rdpserver

import (
	"image"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// TestComposition plays units, notes and patches on a surface of 4×2 blocks and says which blocks each unit may show.
func TestComposition(t *testing.T) {
	size := image.Pt(64, 32)
	const ms = time.Millisecond
	var v composition
	v.reset(size)
	note := func(pts time.Duration, groups ...stream.Group) {
		v.notes = append(v.notes, &stream.Note{Epoch: 1, PTS: pts, Size: size, Groups: groups})
	}
	group := func(patch uint32, blocks ...int) stream.Group {
		g := stream.Group{Patch: patch}
		for _, b := range blocks {
			g.Runs = append(g.Runs, stream.BlockRun{Start: b, Len: 1})
		}
		return g
	}
	draws := func(patch uint32, after time.Duration, blocks ...int) {
		d := desktop.NewDamage(size)
		for _, b := range blocks {
			v.wants[b] = mark{patch, after}
			d.AddRun(b/4, b%4, b%4+1)
		}
		v.drawn(d)
	}
	unit := func(pts time.Duration, all bool, overlays ...overlay) (blocks []int) {
		v.region(v.unit(pts, size), all, size, overlays).Runs(func(y, x0, x1 int) {
			for x := x0; x < x1; x++ {
				blocks = append(blocks, 4*y+x)
			}
		})
		return blocks
	}

	note(10*ms, group(0, 0, 1, 2))
	require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7}, unit(10*ms, true), "the first shows all")
	note(20*ms, group(0, 1, 5))
	require.Equal(t, []int{1, 5}, unit(20*ms, false), "then what changed")

	draws(1, 20*ms, 1, 2)
	note(30*ms, group(1, 1), group(0, 3))
	require.Equal(t, []int{3}, unit(30*ms, false), "a patch that looks the same stays")
	require.Equal(t, []int{0, 3, 4, 5, 6, 7}, unit(31*ms, true), "also below an IDR picture")

	note(40*ms, group(0, 1))
	require.Equal(t, []int{1}, unit(40*ms, false), "a unit that is newer goes over it")

	note(50*ms, group(0, 6))
	draws(2, 60*ms, 6) // made after the unit, and faster
	require.Empty(t, unit(50*ms, false), "a patch that is newer stays")
	note(70*ms, group(0, 6))
	require.Equal(t, []int{6}, unit(70*ms, false))

	note(80*ms, group(0, 0, 4)) // two units are told of at once, by the later one's note
	require.Empty(t, unit(75*ms, false))
	require.Equal(t, []int{4}, unit(80*ms, false, overlay{rect: image.Rect(0, 0, 64, 16)}), "not what is covered")

	v.notes = append(v.notes, &stream.Note{Epoch: 2, PTS: 90 * ms, Size: image.Pt(32, 32), Groups: []stream.Group{group(0, 0, 7, 99)}})
	require.Empty(t, unit(90*ms, false), "notes of another picture say nothing of this one")
	require.Equal(t, uint32(2), v.epoch)
}

func TestRects(t *testing.T) {
	size := image.Pt(100, 50) // 7×4 blocks
	d := desktop.NewDamage(size)
	d.AddRun(0, 0, 7)
	d.AddRun(1, 0, 7)
	d.AddRun(3, 2, 3)
	d.AddRun(3, 6, 7)
	require.Equal(t, []egfx.Rect16{{Right: 100, Bottom: 32}, {Left: 32, Top: 48, Right: 48, Bottom: 50}, {Left: 96, Top: 48, Right: 100, Bottom: 50}}, rects(d, size, 10))
	require.Nil(t, rects(d, size, 2))
	require.Empty(t, rects(desktop.NewDamage(size), size, 2))
}

func TestChooseCaps(t *testing.T) {
	set := egfx.NewCapSet
	for name, c := range map[string]struct {
		sets []egfx.CapSet
		want egfx.CapVersion
		avc  bool
	}{
		"AVC disabled in all, and 10.1 that cannot say so": {
			[]egfx.CapSet{set(egfx.CapVersion8, 0), set(egfx.CapVersion10, egfx.CapAVCDisabled), set(egfx.CapVersion101, 0), set(egfx.CapVersion107, egfx.CapAVCDisabled)},
			egfx.CapVersion107, false,
		},
		"AVC in an older set only": {[]egfx.CapSet{set(egfx.CapVersion81, egfx.CapAVC420Enabled), set(egfx.CapVersion10, egfx.CapAVCDisabled)}, egfx.CapVersion81, true},
		"the newest with AVC":      {[]egfx.CapSet{set(egfx.CapVersion104, 0), set(egfx.CapVersion106, 0), set(0x000b0000, 0)}, egfx.CapVersion106, true},
		"10.1 alone":               {[]egfx.CapSet{set(egfx.CapVersion101, 0)}, egfx.CapVersion101, false},
		"10.1 and 8":               {[]egfx.CapSet{set(egfx.CapVersion101, 0), set(egfx.CapVersion8, 0)}, egfx.CapVersion8, false},
	} {
		best, avc, ok := chooseCaps(c.sets)
		require.True(t, ok, name)
		require.Equal(t, c.want, best.Version, name)
		require.Equal(t, c.avc, avc, name)
	}
	_, _, ok := chooseCaps([]egfx.CapSet{set(0x000b0000, 0)})
	require.False(t, ok)
}
