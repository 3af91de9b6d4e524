package remotefx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"slices"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// TestRemoteFX draws rectangles of a picture at an origin: within them the picture comes close, outside nothing changes.
func TestRemoteFX(t *testing.T) {
	picture := photoPicture(200, 150)
	quant := evenQuant(3) // finer than servers send, so that little is lost
	for name, c := range map[string]struct {
		rects  []image.Rectangle
		origin image.Point
	}{
		"whole":           {[]image.Rectangle{bounds(picture)}, image.Point{}},
		"no rectangles":   {nil, image.Pt(5, 9)},
		"one tile":        {[]image.Rectangle{image.Rect(64, 64, 128, 128)}, image.Pt(1, 0)},
		"parts of tiles":  {[]image.Rectangle{image.Rect(3, 60, 70, 66), image.Rect(100, 100, 101, 101)}, image.Pt(10, 20)},
		"beyond the edge": {[]image.Rectangle{image.Rect(100, 0, 200, 150)}, image.Pt(90, 90)},
		"all beyond":      {[]image.Rectangle{image.Rect(0, 0, 64, 64)}, image.Pt(900, 0)},
		"empty":           {[]image.Rectangle{image.Rect(5, 5, 5, 20)}, image.Point{}},
	} {
		for mode, rlgr3 := range map[string]bool{"RLGR1": false, "RLGR3": true} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				dst := pixel.NewBGRX(250, 200)
				for i := range dst.Pix {
					dst.Pix[i] = 0x55
				}
				var d Decoder
				if rects, err := d.Decode(remoteFXHeaders(200, 150, rlgr3), dst, c.origin); err != nil || len(rects) > 0 {
					t.Fatal(rects, err)
				}
				got, err := d.Decode(remoteFXFrame(picture, c.rects, quant, rlgr3), dst, c.origin)
				if err != nil {
					t.Fatal(err)
				}
				var want []image.Rectangle
				shown := c.rects
				if len(shown) == 0 {
					shown = []image.Rectangle{bounds(picture)}
				}
				for _, r := range shown {
					if r = r.Add(c.origin).Intersect(bounds(dst)); !r.Empty() {
						want = append(want, r)
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("rectangles %v, want %v", got, want)
				}
				for y := range dst.Height {
					for x := range dst.Width {
						px := dst.Row(y)[4*x:][:3]
						if !touches(want, image.Rect(x, y, x+1, y+1)) {
							if !bytes.Equal(px, []byte{0x55, 0x55, 0x55}) {
								t.Fatalf("%d,%d was drawn", x, y)
							}
							continue
						}
						for i, v := range picture.Row(y - c.origin.Y)[4*(x-c.origin.X):][:3] {
							if e := int(v) - int(px[i]); e < -5 || e > 5 {
								t.Fatalf("%d,%d is %v, far from the picture", x, y, px)
							}
						}
					}
				}
			})
		}
	}
}

// edit returns a copy of a message with the bytes of the first block of a type changed: b is its body after the header.
func edit(message []byte, blockType uint16, change func(b []byte)) []byte {
	message = bytes.Clone(message)
	for at := 0; at < len(message); {
		n := int(binary.LittleEndian.Uint32(message[at+2:]))
		if binary.LittleEndian.Uint16(message[at:]) == blockType {
			change(message[at+blockHeaderBytes : at+n])
			break
		}
		at += n
	}
	return message
}

func set(at int, v ...byte) func([]byte) { return func(b []byte) { copy(b[at:], v) } }

func TestRemoteFXRefuses(t *testing.T) {
	picture := photoPicture(64, 64)
	frame := remoteFXFrame(picture, []image.Rectangle{bounds(picture)}, evenQuant(6), true)
	good := append(remoteFXHeaders(64, 64, true), frame...)
	firstTile := tilesetBytes + 2 + quantBytes // from the body of the tileset
	for name, message := range map[string][]byte{
		"no context":           frame,
		"cut":                  good[:len(good)-20],
		"cut in a header":      good[:len(good)-2],
		"magic":                edit(good, wbtSync, set(0, 1)),
		"version":              edit(good, wbtSync, set(4, 9)),
		"tile size of context": edit(good, wbtContext, set(3, 32)),
		"entropy coder":        edit(good, wbtContext, set(5, 0, 0)),
		"too many rectangles":  edit(good, wbtRegion, set(3, 0xff, 0xff)),
		"rectangles missing":   edit(good, wbtRegion, set(3, 9, 0)),
		"extension":            edit(good, wbtExtension, set(2, 0)),
		"no quantisers":        edit(good, wbtExtension, set(8, 0)),
		"quantisers missing":   edit(good, wbtExtension, set(8, 255)),
		"quantiser 0":          edit(good, wbtExtension, set(2+tilesetBytes, 0)),
		"tile size":            edit(good, wbtExtension, set(9, 32)),
		"tiles missing":        edit(good, wbtExtension, set(10, 9)),
		"quantiser of a tile":  edit(good, wbtExtension, set(firstTile+blockHeaderBytes+2, 1)),
		"length of data":       edit(good, wbtExtension, set(firstTile+blockHeaderBytes+7, 0xff, 0xff)),
		"block among tiles":    edit(good, wbtExtension, set(firstTile, 0)),
		"length of a tile":     edit(good, wbtExtension, set(firstTile+2, 7, 0, 0, 0)),
		"short block":          appendBlock(bytes.Clone(good), wbtContext, 1),
		"short sync":           appendBlock(bytes.Clone(good), wbtSync, 1),
		"short channels":       appendBlock(bytes.Clone(good), wbtChannels, 1),
		"short context":        appendBlock(bytes.Clone(good), wbtContext, 1, 2, 3),
		"short region":         appendBlock(bytes.Clone(good), wbtRegion, 1, 2, 3),
		"short tileset":        appendBlock(bytes.Clone(good), wbtExtension, 1, 2, 3),
		"unknown block":        appendBlock(bytes.Clone(good), 0xcccc),
		"length of a block":    append(bytes.Clone(good), 0xc5, 0xcc, 5, 0, 0, 0),
		"tiles without region": append(remoteFXHeaders(64, 64, true), frame[len(frame)-8-int(extensionBytes(frame)):]...),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := new(Decoder).Decode(message, pixel.NewBGRX(64, 64), image.Point{}); !errors.Is(err, ErrData) {
				t.Fatalf("error %v", err)
			}
		})
	}
	if _, err := new(Decoder).Decode(good, pixel.NewBGRX(64, 64), image.Point{}); err != nil {
		t.Fatalf("the message itself: %v", err)
	}
	if _, err := new(Decoder).Decode(good, pixel.BGRX{Width: 64, Height: 64, Stride: 256}, image.Point{}); err == nil {
		t.Fatal("a picture without pixels was accepted")
	}
}

// extensionBytes is the length of the TS_RFX_TILESET in a frame.
func extensionBytes(frame []byte) (n uint32) {
	edit(frame, wbtExtension, func(b []byte) { n = uint32(len(b) + blockHeaderBytes) })
	return n
}

func TestProgressiveRefuses(t *testing.T) {
	picture := photoPicture(64, 64)
	messages, _ := progressiveStory(picture, picture, true)
	good, upgrade := messages[0], messages[1]
	simple := func() []byte {
		return progressiveMessage(newProgressiveEncoder(true).region(picture, []image.Rectangle{bounds(picture)}, []image.Point{{}}, progTileSimple, evenQuant(6), nil, fullQuality, false))
	}()
	firstTile := regionBytes + rectBytes + quantBytes + len(steps)*progQuantBytes
	for name, c := range map[string][][]byte{
		"cut":                  {good[:len(good)-20]},
		"magic":                {edit(good, progSync, set(0, 1))},
		"tile size of context": {edit(good, progContext, set(1, 32))},
		"short context":        {appendBlock(nil, progContext, 0)},
		"tile size":            {edit(good, progRegion, set(0, 32))},
		"too many rectangles":  {edit(good, progRegion, set(1, 0xff, 0xff))},
		"rectangles missing":   {edit(good, progRegion, set(1, 0xff, 0x0f))},
		"no quantisers":        {edit(good, progRegion, set(3, 0, 1))},
		"quality":              {edit(good, progRegion, set(firstTile+blockHeaderBytes+8, 3))},
		"quantiser of a tile":  {edit(good, progRegion, set(firstTile+blockHeaderBytes+1, 1))},
		"quantiser 0":          {edit(simple, progRegion, set(regionBytes+rectBytes+1, 0))},
		"tiles missing":        {edit(good, progRegion, set(6, 2))},
		"bytes after tiles":    {edit(good, progRegion, set(6, 0))},
		"length of tiles":      {edit(good, progRegion, set(8, 0xff, 0xff, 0xff, 0xff))},
		"tile beyond":          {edit(good, progRegion, set(firstTile+blockHeaderBytes+3, 1))},
		"tile below":           {edit(good, progRegion, set(firstTile+blockHeaderBytes+5, 1))},
		"length of data":       {edit(good, progRegion, set(firstTile+blockHeaderBytes+9, 0xff, 0xff))},
		"kind of tile":         {edit(good, progRegion, set(firstTile, 0xc8))},
		"short tile":           {edit(good, progRegion, set(firstTile+2, 8, 0, 0, 0))},
		"upgrade of nothing":   {upgrade},
		"upgrade of all":       {simple, upgrade},
		"upgrade backwards":    {good, messages[2], upgrade},
		"upgrade of another":   {good, edit(upgrade, progRegion, set(5, 0))},
		"upgrade's data":       {good, edit(upgrade, progRegion, set(firstTile+blockHeaderBytes+8, 0xff, 0xff))},
		"difference to other":  {edit(good, progRegion, set(5, 0)), messages[4]},
		"unknown block":        {appendBlock(bytes.Clone(good), 0xcccc)},
	} {
		t.Run(name, func(t *testing.T) {
			var d Progressive
			dst := pixel.NewBGRX(64, 64)
			for i, m := range c {
				_, err := d.Decode(uint32(i), m, dst)
				if last := i == len(c)-1; last && !errors.Is(err, ErrData) || !last && err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
			}
		})
	}
	if _, err := new(Progressive).Decode(0, good, pixel.NewBGRX(64, 64)); err != nil {
		t.Fatalf("the message itself: %v", err)
	}
	if _, err := new(Progressive).Decode(0, nil, pixel.NewBGRX(64*maxSurfaceTiles+1, 1)); !errors.Is(err, ErrData) {
		t.Fatalf("a surface of too many tiles: %v", err)
	}
	if _, err := new(Progressive).Decode(0, good, pixel.BGRX{}); !errors.Is(err, ErrData) {
		t.Fatalf("a tile on an empty surface: %v", err)
	}
	// A region outside a frame is passed over.
	bare := edit(good, progFrameBegin, func([]byte) {})
	binary.LittleEndian.PutUint16(bare[bytes.Index(bare, []byte{0xc1, 0xcc}):], progFrameEnd)
	if rects, err := new(Progressive).Decode(0, bare, pixel.NewBGRX(64, 64)); err != nil || len(rects) > 0 {
		t.Fatalf("a region outside a frame: %v, %v", rects, err)
	}
}

// TestNoAllocations decodes again what was decoded before.
func TestNoAllocations(t *testing.T) {
	picture := desktopPicture(200, 150)
	dst := pixel.NewBGRX(200, 150)
	message := append(remoteFXHeaders(200, 150, true), remoteFXFrame(picture, []image.Rectangle{image.Rect(1, 1, 190, 150)}, evenQuant(7), true)...)
	var d Decoder
	if n := testing.AllocsPerRun(5, func() {
		if _, err := d.Decode(message, dst, image.Point{}); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("RemoteFX: %v allocations a message", n)
	}
	var p Progressive
	messages, _ := progressiveStory(picture, picture, true)
	frame := uint32(0)
	if n := testing.AllocsPerRun(5, func() {
		for _, m := range messages {
			frame++
			if _, err := p.Decode(frame, m, dst); err != nil {
				t.Error(err)
			}
		}
	}); n > 0 {
		t.Errorf("progressive: %v allocations for %d messages", n, len(messages))
	}
}
