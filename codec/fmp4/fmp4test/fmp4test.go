// Package fmp4test provides real H.264 access units for the tests of whatever stores or sends them, without an encoder.
package fmp4test

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

// The clips are testdata/WxH.h264: 50 pictures of a test pattern with a running clock, the first one IDR. Made by:
//
//	ffmpeg -f lavfi -i testsrc=s=160x120:r=10 -frames:v 50 -pix_fmt yuvj420p -c:v libx264 -preset slow -profile:v baseline -qp 36 \
//	  -x264-params keyint=50:scenecut=0:aud=0:annexb=1:fullrange=on:colorprim=bt709:transfer=bt709:colormatrix=bt709:repeat-headers=1:info=0:threads=1 \
//	  -color_range pc -bsf:v filter_units=remove_types=6 -f h264 160x120.h264
//
//go:embed testdata/*.h264
var clips embed.FS

// Clip makes access units as a hub does: numbered without gaps, at the times asked for.
type Clip struct {
	pictures [2][][]byte // Annex B, by size
	size     int
	next     int
	seq      uint64
}

// sizes are the pictures' sizes: the first, and the one after Resize.
var sizes = [2][2]int{{160, 120}, {112, 80}}

// New loads the clips.
func New(tb testing.TB) *Clip {
	tb.Helper()
	c := &Clip{}
	for i, s := range sizes {
		b, err := clips.ReadFile(fmt.Sprintf("testdata/%dx%d.h264", s[0], s[1]))
		if err != nil {
			tb.Fatal(err)
		}
		c.pictures[i] = split(b)
		if len(c.pictures[i]) != 50 {
			tb.Fatalf("%d pictures in clip %d", len(c.pictures[i]), i)
		}
	}
	return c
}

// split cuts a stream of one slice a picture into access units.
func split(b []byte) [][]byte {
	var units [][]byte
	var unit []byte
	for nal := range h264.SplitNALs(b) {
		unit = append(append(unit, 0, 0, 0, 1), nal...)
		if t := h264.TypeOf(nal); t == h264.NALSlice || t == h264.NALIDR {
			units = append(units, slices.Clip(unit))
			unit = nil
		}
	}
	return units
}

// IDR makes the next unit an IDR picture.
func (c *Clip) IDR() { c.next = 0 }

// Resize changes the size; the next unit is an IDR picture.
func (c *Clip) Resize() {
	c.size = 1 - c.size
	c.next = 0
}

// Unit returns the next picture, shown at pts. After 50 pictures without IDR the 49 others come again: whoever
// decodes them sees a jump.
func (c *Clip) Unit(pts time.Duration) *h264.AccessUnit {
	data := c.pictures[c.size][c.next]
	au := &h264.AccessUnit{
		PTS: pts, Changed: pts, IDR: c.next == 0, Data: bytes.Clone(data),
		Width: sizes[c.size][0], Height: sizes[c.size][1],
	}
	c.seq++
	au.Seq = c.seq
	if c.next++; c.next == len(c.pictures[c.size]) {
		c.next = 1
	}
	return au
}
