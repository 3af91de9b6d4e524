package gfx

import (
	"image"
	"math/rand/v2"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/rdpbitmap"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

// picture is a picture as a table of pixels: what the compositor does, done without any thought of speed.
type picture struct {
	w, h int
	px   [][3]byte
}

func newPicture(w, h int) *picture { return &picture{w: w, h: h, px: make([][3]byte, w*h)} }

func (p *picture) get(x, y int) [3]byte { return p.px[y*p.w+x] }

func (p *picture) set(at image.Point, v [3]byte) {
	if at.In(image.Rect(0, 0, p.w, p.h)) {
		p.px[at.Y*p.w+at.X] = v
	}
}

func (p *picture) cut(r image.Rectangle) *picture {
	out := newPicture(r.Dx(), r.Dy())
	for y := range out.h {
		for x := range out.w {
			out.set(image.Pt(x, y), p.get(r.Min.X+x, r.Min.Y+y))
		}
	}
	return out
}

func (p *picture) paste(at image.Point, o *picture) {
	for y := range o.h {
		for x := range o.w {
			p.set(at.Add(image.Pt(x, y)), o.get(x, y))
		}
	}
}

type modelSurface struct {
	*picture
	place          *image.Point
	drawn, updated bool
}

// model is a naive compositor for the commands that a script makes.
type model struct {
	rng      *rand.Rand
	output   *picture
	surfaces map[uint16]*modelSurface
	cache    map[uint16]*picture
	free     []image.Point // places without a surface, as far apart as surfaces are large
	seq      byte          // of ClearCodec
}

const (
	modelSide  = 70 // of the largest surface
	modelCells = 3
)

func newModel(seed uint64) *model {
	m := &model{
		rng: rand.New(rand.NewPCG(seed, 1)), output: newPicture(200, 150),
		surfaces: map[uint16]*modelSurface{}, cache: map[uint16]*picture{},
	}
	for i := range modelCells * modelCells {
		m.free = append(m.free, image.Pt(i%modelCells, i/modelCells).Mul(modelSide+3))
	}
	return m
}

func (m *model) rect(w, h int) image.Rectangle {
	x0, y0 := m.rng.IntN(w), m.rng.IntN(h)
	return image.Rect(x0, y0, x0+1+m.rng.IntN(w-x0), y0+1+m.rng.IntN(h-y0))
}

func (m *model) any() (uint16, *modelSurface) {
	for id := uint16(m.rng.IntN(6)); ; id = (id + 1) % 6 {
		if s := m.surfaces[id]; s != nil {
			return id, s
		}
	}
}

// touch notes that a surface was drawn.
func (s *modelSurface) touch() { s.drawn, s.updated = true, s.place != nil }

// step returns a command and has carried it out.
func (m *model) step() egfx.Message {
	kind := m.rng.IntN(12)
	if len(m.surfaces) == 0 {
		kind = 0
	}
	switch kind {
	case 0:
		id := uint16(m.rng.IntN(6))
		m.forget(id)
		s := &modelSurface{picture: newPicture(1+m.rng.IntN(modelSide), 1+m.rng.IntN(modelSide))}
		m.surfaces[id] = s
		return create(id, s.w, s.h)
	case 1:
		id, _ := m.any()
		if m.rng.IntN(3) == 0 {
			m.forget(id)
			return &egfx.DeleteSurface{SurfaceID: id}
		}
		fallthrough
	case 2:
		id, s := m.any()
		if s.place != nil {
			m.free = append(m.free, *s.place)
		}
		i := m.rng.IntN(len(m.free))
		place := m.free[i]
		m.free = append(m.free[:i], m.free[i+1:]...)
		s.place, s.updated = &place, s.drawn
		return mapTo(id, uint32(place.X), uint32(place.Y))
	case 3, 4, 5:
		id, s := m.any()
		colour := m.rng.Uint32() & 0xffffff
		var rects []image.Rectangle
		for range 1 + m.rng.IntN(3) {
			r := m.rect(s.w+5, s.h+5) // may leave the surface
			rects = append(rects, r)
			for y := r.Min.Y; y < r.Max.Y; y++ {
				for x := r.Min.X; x < r.Max.X; x++ {
					s.set(image.Pt(x, y), [3]byte{byte(colour), byte(colour >> 8), byte(colour >> 16)})
				}
			}
			if !r.Intersect(image.Rect(0, 0, s.w, s.h)).Empty() {
				s.touch()
			}
		}
		return solid(id, colour, rects...)
	case 6, 7:
		id, s := m.any()
		toID, to := m.any()
		if m.rng.IntN(2) == 0 {
			toID, to = id, s
		}
		r := m.rect(min(s.w, to.w), min(s.h, to.h))
		msg := &egfx.SurfaceToSurface{Source: id, Dest: toID, Rect: rect16(r)}
		for range m.rng.IntN(4) {
			at := image.Pt(m.rng.IntN(to.w-r.Dx()+1), m.rng.IntN(to.h-r.Dy()+1))
			msg.Points = append(msg.Points, points(at.X, at.Y)...)
			to.paste(at, s.cut(r))
			to.touch()
		}
		return msg
	case 8:
		id, s := m.any()
		r, slot := m.rect(s.w, s.h), uint16(1+m.rng.IntN(5))
		m.cache[slot] = s.cut(r)
		return &egfx.SurfaceToCache{SurfaceID: id, Slot: slot, Rect: rect16(r)}
	case 9:
		slot := uint16(1 + m.rng.IntN(5))
		id, s := m.any()
		if p := m.cache[slot]; p != nil && p.w <= s.w && p.h <= s.h && m.rng.IntN(5) > 0 {
			at := image.Pt(m.rng.IntN(s.w-p.w+1), m.rng.IntN(s.h-p.h+1))
			s.paste(at, p)
			s.touch()
			return &egfx.CacheToSurface{Slot: slot, SurfaceID: id, Points: points(at.X, at.Y)}
		}
		delete(m.cache, slot)
		return &egfx.EvictCacheEntry{Slot: slot}
	default:
		return m.bitmap()
	}
}

// bitmap returns a command with a random bitmap in a random lossless codec.
func (m *model) bitmap() egfx.Message {
	id, s := m.any()
	r := m.rect(s.w, s.h)
	p := pixel.NewBGRX(r.Dx(), r.Dy())
	colour := [3]byte{}
	for i := 0; i < len(p.Pix); i += 4 {
		if m.rng.IntN(3) == 0 {
			colour = [3]byte{byte(m.rng.Uint32()), byte(m.rng.Uint32()), byte(m.rng.Uint32())}
		}
		copy(p.Pix[i:], colour[:])
		s.set(r.Min.Add(image.Pt(i/4%p.Width, i/4/p.Width)), colour)
	}
	s.touch()
	switch m.rng.IntN(3) {
	case 0:
		data, err := new(rdpbitmap.Encoder).Planar(nil, p, false)
		if err != nil {
			panic(err)
		}
		return wire1(id, egfx.CodecPlanar, r, data)
	case 1:
		return wire1(id, egfx.CodecClearCodec, r, m.residual(p))
	}
	return wire1(id, egfx.CodecUncompressed, r, p.Pix)
}

// residual returns p as ClearCodec with nothing but a residual layer, each pixel a run ([MS-RDPEGFX] 2.2.4.1.1.1).
func (m *model) residual(p pixel.BGRX) []byte {
	n := p.Width * p.Height * 4
	b := []byte{0, m.seq, byte(n), byte(n >> 8), byte(n >> 16), 0, 0, 0, 0, 0, 0, 0, 0, 0}
	m.seq++
	for i := 0; i < len(p.Pix); i += 4 {
		b = append(b, p.Pix[i], p.Pix[i+1], p.Pix[i+2], 1)
	}
	return b
}

func (m *model) forget(id uint16) {
	if s := m.surfaces[id]; s != nil && s.place != nil {
		m.free = append(m.free, *s.place)
	}
	delete(m.surfaces, id)
}

// show copies every updated surface to the output, whole ([MS-RDPEGFX] 3.3.5.12).
func (m *model) show() {
	for _, s := range m.surfaces {
		if s.updated && s.place != nil {
			m.output.paste(*s.place, s.picture)
		}
		s.updated = false
	}
}

// TestAgainstModel runs random scripts, in frames and outside, and compares the framebuffer after each.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(8) {
		m := newModel(seed)
		h := open(t, m.output.w, m.output.h)
		var kinds [0x20]int
		for frame := range uint32(60) {
			var script []egfx.Message
			framed := m.rng.IntN(4) > 0
			if framed {
				script = append(script, start(frame))
			}
			for range 1 + m.rng.IntN(12) {
				step := m.step()
				kinds[step.Command()]++
				script = append(script, step)
			}
			if framed {
				script = append(script, end(frame))
			}
			h.feed(t, script...)
			m.show()
			pix, size := h.fb.CopyPixels()
			for y := range size.Y {
				for x := range size.X {
					if got, want := [3]byte(pix[(y*size.X+x)*4:]), m.output.get(x, y); got != want {
						t.Fatalf("seed %d, frame %d: %d,%d is %v, want %v", seed, frame, x, y, got, want)
					}
				}
			}
		}
		for _, command := range []egfx.Command{
			egfx.CmdWireToSurface1, egfx.CmdSolidFill, egfx.CmdSurfaceToSurface, egfx.CmdSurfaceToCache,
			egfx.CmdCacheToSurface, egfx.CmdEvictCacheEntry, egfx.CmdCreateSurface, egfx.CmdDeleteSurface, egfx.CmdMapSurfaceToOutput,
		} {
			if kinds[command] == 0 {
				t.Errorf("seed %d had no command %d", seed, command)
			}
		}
	}
}
