package rdpclient

import (
	"encoding/binary"
	"fmt"
	"image"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/rdpbitmap"
	"github.com/vitrine-psm/vitrine/codec/zgfx"
	"github.com/vitrine-psm/vitrine/internal/rdptarget"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

// cat strings numbers of their own width and bytes together, little endian.
func cat(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int: // a byte
			b = append(b, byte(p))
		case string:
			b = append(b, p...)
		default:
			var err error
			if b, err = binary.Append(b, binary.LittleEndian, p); err != nil {
				panic(err)
			}
		}
	}
	return b
}

// rgb is a colour as 0xRRGGBB.
func rgb(red, green, blue int) int { return red<<16 | green<<8 | blue }

// wants compares the whole framebuffer with want, which gives 0xRRGGBB of each pixel.
func (s *stage) wants(want func(x, y int) int) {
	s.t.Helper()
	synctest.Wait()
	pix, size := s.fb.CopyPixels()
	for y := range size.Y {
		for x := range size.X {
			got := int(binary.LittleEndian.Uint32(pix[(y*size.X+x)*4:]) & 0xffffff)
			if w := want(x, y); got != w {
				s.t.Fatalf("%d,%d is %06x, want %06x", x, y, got, w)
			}
		}
	}
}

// within is colour in r and want elsewhere.
func within(r image.Rectangle, colour int, want func(x, y int) int) func(x, y int) int {
	return func(x, y int) int {
		if image.Pt(x, y).In(r) {
			return colour
		}
		return want(x, y)
	}
}

func black(int, int) int { return 0 }

// gradient is a picture in which no two neighbours are equal.
func gradient(x, y int) int { return rgb(x*7&0xff, y*11&0xff, (x+y)*5&0xff) }

// asShown is what is left of a colour at a depth.
func asShown(colour, depth int) int {
	red, green, blue := colour>>16&0xff, colour>>8&0xff, colour&0xff
	keep := func(v, bits int) int { v >>= 8 - bits; return v<<(8-bits) | v>>(2*bits-8) }
	switch depth {
	case 15:
		return rgb(keep(red, 5), keep(green, 5), keep(blue, 5))
	case 16:
		return rgb(keep(red, 5), keep(green, 6), keep(blue, 5))
	}
	return colour
}

// rawRows are the pixels of a picture, bottom row first.
func rawRows(w, h, depth int, colour func(x, y int) int) []byte {
	var b []byte
	for y := h - 1; y >= 0; y-- {
		for x := range w {
			c := colour(x, y)
			red, green, blue := c>>16, c>>8&0xff, c&0xff
			switch depth {
			case 8:
				b = append(b, byte(x+y)) // an index
			case 15:
				b = append(b, cat(uint16(red>>3<<10|green>>3<<5|blue>>3))...)
			case 16:
				b = append(b, cat(uint16(red>>3<<11|green>>2<<5|blue>>3))...)
			case 24:
				b = append(b, byte(blue), byte(green), byte(red))
			default:
				b = append(b, byte(blue), byte(green), byte(red), 0)
			}
		}
	}
	return b
}

// compressed is a picture in the codec of its depth.
func compressed(t *testing.T, w, h, depth int, colour func(x, y int) int) []byte {
	t.Helper()
	p := pixel.NewBGRX(w, h)
	for y := range h {
		for x := range w {
			binary.LittleEndian.PutUint32(p.Row(y)[4*x:], uint32(colour(x, y)))
		}
	}
	var e rdpbitmap.Encoder
	var b []byte
	var err error
	if depth == 32 {
		b, err = e.Planar(nil, p, true)
	} else {
		b, err = e.Interleaved(nil, p, depth)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBitmaps: bitmap updates of every depth, with and without compression, on both paths.
func TestBitmaps(t *testing.T) {
	size := image.Pt(64, 48)
	for _, depth := range []int{8, 15, 16, 24, 32} {
		for _, compress := range []bool{false, true} {
			for _, slow := range []bool{false, true} {
				if depth == 8 && compress {
					continue // TestPaletteRun
				}
				t.Run(fmt.Sprintf("%d bits, compressed %v, slow path %v", depth, compress, slow), func(t *testing.T) {
					var palette rdp.Palette
					for i := range palette {
						palette[i] = [4]byte{byte(i), byte(255 - i), byte(i * 3)}
					}
					want := func(x, y int) int { return asShown(gradient(x, y), depth) }
					if depth == 8 {
						want = func(x, y int) int { i := byte(x + y); return rgb(int(i*3), int(255-i), int(i)) }
					}
					// Wider and higher than its place, as servers pad.
					data := rawRows(size.X, size.Y, depth, gradient)
					if compress {
						data = compressed(t, size.X, size.Y, depth, gradient)
					}
					place := image.Rect(0, 0, size.X-3, size.Y)
					update := rdp.AppendBitmaps(nil, []rdp.Bitmap{{
						Dest: place, Width: size.X, Height: size.Y, BitsPerPixel: depth, Compressed: compress, Data: data,
					}})
					_ = play(t, scene{peer: rdptarget.Options{Size: size, Depth: depth}}, func(s *stage) {
						p := s.open()
						if slow {
							p.must(p.SendData(rdp.DataUpdate, palette.Append(nil)))
							p.must(p.SendData(rdp.DataUpdate, cat(uint16(rdp.GraphicsSynchronize), uint16(0))))
							p.must(p.SendData(rdp.DataUpdate, update))
						} else {
							p.must(p.Update(rdp.Update{Code: rdp.UpdatePalette, Data: palette.Append(nil)}))
							p.must(p.Update(rdp.Update{Code: rdp.UpdateSynchronize}))
							p.must(p.Update(rdp.Update{Code: rdp.UpdateBitmap, Data: update}))
						}
						s.wants(func(x, y int) int {
							if x >= place.Max.X {
								return 0
							}
							return want(x, y)
						})
					})
				})
			}
		}
	}
}

// TestPaletteRun: interleaved RLE of 8 bits a pixel, with the header of a compressed bitmap that old servers send.
func TestPaletteRun(t *testing.T) {
	var palette rdp.Palette
	palette[9] = [4]byte{0x30, 0x20, 0x10}
	run := []byte{0x60, 0, 9} // a colour run of 32 pixels ([MS-RDPBCGR] 2.2.9.1.1.3.1.2.4)
	header := cat(uint16(0), uint16(len(run)), uint16(8), uint16(32))
	bitmap := cat(uint16(rdp.GraphicsBitmap), uint16(1), uint16(4), uint16(5), uint16(11), uint16(8), uint16(8), uint16(4),
		uint16(8), uint16(1), uint16(len(header)+len(run)), header, run)
	_ = play(t, scene{}, func(s *stage) {
		p := s.open()
		p.must(p.Update(rdp.Update{Code: rdp.UpdatePalette, Data: palette.Append(nil)}))
		p.must(p.Update(rdp.Update{Code: rdp.UpdateBitmap, Data: bitmap}))
		s.wants(within(image.Rect(4, 5, 12, 9), 0x102030, black))
	})
}

// TestBitmapsOutside: what reaches over the border is cut, what is beyond it is nothing.
func TestBitmapsOutside(t *testing.T) {
	white := func(int, int) int { return 0xffffff }
	_ = play(t, scene{}, func(s *stage) {
		p := s.open()
		p.must(p.Update(rdp.Update{Code: rdp.UpdateBitmap, Data: rdp.AppendBitmaps(nil, []rdp.Bitmap{
			{Dest: image.Rect(60, 44, 76, 60), Width: 16, Height: 16, BitsPerPixel: 32, Data: rawRows(16, 16, 32, white)},
			{Dest: image.Rect(64, 48, 80, 64), Width: 16, Height: 16, BitsPerPixel: 32, Data: rawRows(16, 16, 32, white)},
			{Dest: image.Rect(65519, 65519, 65535, 65535), Width: 16, Height: 16, BitsPerPixel: 32, Data: rawRows(16, 16, 32, white)},
		})}))
		s.wants(within(image.Rect(60, 44, 64, 48), 0xffffff, black))
	})
}

// bits is a Set Surface Bits command as an update.
func bits(dest image.Rectangle, codec uint8, data []byte) rdp.Update {
	c := rdp.SurfaceBits{Dest: dest, Width: dest.Dx(), Height: dest.Dy(), BitsPerPixel: 32, CodecID: codec, Data: data}
	return rdp.Update{Code: rdp.UpdateSurfaceCommands, Data: c.Append(nil)}
}

// greyNSCodec is grey in NSCodec ([MS-RDPNSC] 2.2.2): luma as it is, no chroma.
func greyNSCodec(w, h int) []byte {
	n := w * h
	return cat(uint32(n), uint32(n), uint32(n), uint32(0), 1, 0, uint16(0), slices.Repeat([]byte{0x80}, n), make([]byte, 2*n))
}

// greyRemoteFX is grey in RemoteFX ([MS-RDPRFX] 2.2.2): one tile without coefficients, seen through one rectangle.
func greyRemoteFX(x, y, w, h int) []byte {
	block := func(kind uint16, parts ...any) []byte {
		body := cat(parts...)
		return cat(kind, uint32(6+len(body)), body)
	}
	tile := block(0xcac3, 0, 0, 0, uint16(0), uint16(0), uint16(0), uint16(0), uint16(0))
	return cat(
		block(0xccc0, uint32(0xcaccacca), uint16(0x0100)), block(0xccc1, 1, 1, uint16(0x0100)),
		block(0xccc2, 1, 0, uint16(64), uint16(64)), block(0xccc3, 1, 0xff, 0, uint16(64), uint16(0x0228)),
		block(0xccc4, 1, 0, uint32(0), uint16(1)),
		block(0xccc6, 1, 0, 1, uint16(1), uint16(x), uint16(y), uint16(w), uint16(h), uint16(0xcac1), uint16(1)),
		block(0xccc7, 1, 0, uint16(0xcac2), uint16(0), uint16(0x0451), 1, 64, uint16(1), uint32(len(tile)),
			0x66, 0x66, 0x66, 0x66, 0x66, tile),
		block(0xccc5, 1, 0),
	)
}

// TestSurfaceCommands: pictures in all codecs, and each frame acknowledged when it is drawn.
func TestSurfaceCommands(t *testing.T) {
	at := image.Rect(8, 4, 24, 12)
	for name, c := range map[string]struct {
		codec  uint8
		data   []byte
		colour int
		drawn  image.Rectangle
	}{
		"raw":      {codecNone, rawRows(16, 8, 32, func(int, int) int { return 0x123456 }), 0x123456, at},
		"nscodec":  {codecNSCodec, greyNSCodec(16, 8), 0x808080, at},
		"remotefx": {codecRemoteFX, greyRemoteFX(1, 2, 5, 4), 0x808080, image.Rect(9, 6, 14, 10)},
	} {
		t.Run(name, func(t *testing.T) {
			_ = play(t, scene{Config: Config{Graphics: GraphicsNSCodec | GraphicsRemoteFX}}, func(s *stage) {
				p := s.open()
				codecs, ok := rdp.FindCapability[*rdp.BitmapCodecsCapability](p.Confirmed.Capabilities)
				if !ok || len(codecs.Codecs) != 2 {
					t.Fatalf("the client offers %+v", codecs)
				}
				p.heard()
				frame := rdp.FrameMarker{Frame: 7}.Append(nil)
				frame = append(frame, bits(at, c.codec, c.data).Data...)
				p.must(p.Update(rdp.Update{Code: rdp.UpdateSurfaceCommands, Data: frame}))
				if heard := p.heard(); len(heard) != 0 {
					t.Fatalf("%+v before the frame's end", heard)
				}
				p.must(p.Update(rdp.Update{Code: rdp.UpdateSurfaceCommands, Data: rdp.FrameMarker{End: true, Frame: 7}.Append(nil)}))
				heard := p.heard()
				if len(heard) != 1 || heard[0].Data != rdp.DataFrameAcknowledge || !slices.Equal(heard[0].Body, cat(uint32(7))) {
					t.Fatalf("%+v, want an acknowledgement of 7", heard)
				}
				s.wants(within(c.drawn, c.colour, black))
			})
		})
	}
}

// TestFragments: an update of several fast-path PDUs, between which others may come.
func TestFragments(t *testing.T) {
	size := image.Pt(200, 100)
	_ = play(t, scene{peer: rdptarget.Options{Size: size}}, func(s *stage) {
		p := s.open()
		u := bits(image.Rectangle{Max: size}, codecNone, rawRows(size.X, size.Y, 32, gradient))
		b := rdp.AppendUpdate(nil, u)
		first := int(binary.BigEndian.Uint16(b[1:])) & 0x7fff
		if first >= len(b) {
			t.Fatalf("%d bytes in one PDU", len(b))
		}
		_, err := p.Write(b[:first])
		p.must(err)
		p.must(p.SendData(rdp.DataPlaySound, make([]byte, 8)))
		s.wants(black)
		_, err = p.Write(b[first:])
		p.must(err)
		s.wants(gradient)
		if !s.observer.has("bell") {
			t.Error("no bell")
		}
	})
}

// shape is a pointer of one colour whose right half is transparent.
func shape(index, side, bits int) rdp.PointerShape {
	p := rdp.PointerShape{CacheIndex: index, Hotspot: image.Pt(side-1, 0), Width: side, Height: side, BitsPerPixel: bits}
	for range side {
		row := make([]byte, (side+15)/16*2)
		for x := side / 2; x < side; x++ {
			row[x/8] |= 0x80 >> (x % 8)
		}
		p.AND = append(p.AND, row...)
		pixels := make([]byte, (side*bits+15)/16*2)
		for x := range side / 2 {
			if bits == 32 {
				copy(pixels[4*x:], []byte{0x33, 0x22, 0x11, 0xff})
			} else {
				copy(pixels[3*x:], []byte{0x33, 0x22, 0x11})
			}
		}
		p.XOR = append(p.XOR, pixels...)
	}
	return p
}

// TestPointers: shapes of all kinds, the cache, and the pointers without a shape.
func TestPointers(t *testing.T) {
	color, large := shape(0, 32, 24), shape(127, 96, 32)
	for name, c := range map[string]struct {
		update rdp.Update
		hidden bool
		side   int // of the shape, 0 for none
	}{
		"hidden":       {rdp.Update{Code: rdp.UpdatePointerHidden}, true, 0},
		"default":      {rdp.Update{Code: rdp.UpdatePointerDefault}, false, 0},
		"colour":       {rdp.Update{Code: rdp.UpdatePointerColor, Data: color.Append(rdp.UpdatePointerColor, nil)}, false, 32},
		"new":          {rdp.Update{Code: rdp.UpdatePointerNew, Data: color.Append(rdp.UpdatePointerNew, nil)}, false, 32},
		"large":        {rdp.Update{Code: rdp.UpdatePointerLarge, Data: large.Append(rdp.UpdatePointerLarge, nil)}, false, 96},
		"cached":       {rdp.Update{Code: rdp.UpdatePointerCached, Data: cat(uint16(5))}, false, 16},
		"cached empty": {rdp.Update{Code: rdp.UpdatePointerCached, Data: cat(uint16(6))}, true, 0},
		"position":     {rdp.Update{Code: rdp.UpdatePointerPosition, Data: cat(uint16(5), uint16(6))}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_ = play(t, scene{}, func(s *stage) {
				p := s.open()
				cached := shape(5, 16, 32)
				p.must(p.Update(rdp.Update{Code: rdp.UpdatePointerNew, Data: cached.Append(rdp.UpdatePointerNew, nil)}))
				p.must(p.Update(rdp.Update{Code: rdp.UpdatePointerHidden}))
				p.must(p.Update(c.update))
				synctest.Wait()
				got := s.fb.Cursor()
				if got.Hidden != c.hidden || (got.Shape != nil) != (c.side != 0) {
					t.Fatalf("%+v", got)
				}
				if got.Shape == nil {
					return
				}
				if got.Shape.Bounds().Size() != image.Pt(c.side, c.side) || got.Hotspot != image.Pt(c.side-1, 0) {
					t.Fatalf("%v, hotspot %v", got.Shape.Bounds(), got.Hotspot)
				}
				left, right := got.Shape.NRGBAAt(0, 3), got.Shape.NRGBAAt(c.side-1, 3)
				if rgb(int(left.R), int(left.G), int(left.B)) != 0x112233 || left.A != 0xff || right.A != 0 {
					t.Fatalf("left %v, right %v", left, right)
				}
			})
		})
	}
	t.Run("slow path", func(t *testing.T) {
		_ = play(t, scene{}, func(s *stage) {
			p := s.open()
			p.must(p.SendData(rdp.DataPointer, cat(uint16(6), uint16(0), color.Append(rdp.UpdatePointerColor, nil))))
			synctest.Wait()
			if got := s.fb.Cursor(); got.Shape == nil {
				t.Fatalf("%+v", got)
			}
			p.must(p.SendData(rdp.DataPointer, cat(uint16(1), uint16(0), uint32(0))))
			synctest.Wait()
			if got := s.fb.Cursor(); !got.Hidden {
				t.Fatalf("%+v", got)
			}
		})
	})
}

// pipeline sends messages of the graphics pipeline.
func (p *peer) pipeline(messages ...egfx.Message) {
	p.t.Helper()
	var b []byte
	for _, m := range messages {
		b = m.Append(b)
	}
	p.must(p.SendDynamic(egfx.ChannelName, zgfx.AppendUncompressed(nil, b)))
}

// TestGraphicsPipeline: the channel is taken, frames show and are acknowledged, and the desktop changes its size.
func TestGraphicsPipeline(t *testing.T) {
	_ = play(t, scene{}, func(s *stage) {
		p := s.open()
		if p.Asked.Core.EarlyCapabilities&rdp.SupportDynVCGFX == 0 {
			t.Error("the pipeline was not announced")
		}
		p.heard()
		p.must(p.OpenDynamic(egfx.ChannelName))
		heard := p.heard()
		if len(heard) != 2 || heard[0].Kind != rdptarget.Answered || heard[0].Status != 0 || heard[1].Kind != rdptarget.Dynamic {
			t.Fatalf("%+v, want a yes and capabilities", heard)
		}
		p.pipeline(&egfx.CapsConfirm{Set: egfx.NewCapSet(egfx.CapVersion8, 0)},
			&egfx.ResetGraphics{Width: 90, Height: 70},
			&egfx.CreateSurface{SurfaceID: 1, Width: 90, Height: 70, PixelFormat: egfx.FormatXRGB},
			&egfx.MapSurfaceToOutput{SurfaceID: 1},
			&egfx.StartFrame{FrameID: 3},
			&egfx.SolidFill{SurfaceID: 1, Color: egfx.Color32{B: 3, G: 2, R: 1}, Rects: []egfx.Rect16{{Left: 5, Top: 6, Right: 50, Bottom: 60}}},
			&egfx.EndFrame{FrameID: 3})
		heard = p.heard()
		var ack egfx.FrameAcknowledge
		if len(heard) != 1 {
			t.Fatalf("%+v, want an acknowledgement", heard)
		}
		command, body, _, err := egfx.Next(heard[0].Body)
		if err != nil || command != egfx.CmdFrameAcknowledge || ack.Decode(body) != nil || ack.FrameID != 3 {
			t.Fatalf("command %v, %+v, %v", command, ack, err)
		}
		if got := s.fb.Size(); got != image.Pt(90, 70) {
			t.Fatalf("desktop of %v", got)
		}
		s.wants(within(image.Rect(5, 6, 50, 60), 0x010203, black))
		// Input is where the new desktop is.
		s.sends(desktop.PointerEvent{Pos: image.Pt(500, 500)})
		if in := p.inputs(true); len(in) != 1 || in[0].X != 89 || in[0].Y != 69 {
			t.Fatalf("%+v", in)
		}
	})
}
