package demotarget

import (
	"image"
	"image/color"
	"strings"
)

// Cursor is a pointer's shape. Its pixels are opaque or absent, as the Cursor pseudo-encoding wants.
type Cursor struct {
	Image   *image.RGBA
	Hotspot image.Point
}

// The shapes we know.
var (
	// Arrow is the usual one.
	Arrow = newCursor(image.Pt(0, 0), `
#
##
#o#
#oo#
#ooo#
#oooo#
#ooooo#
#oooooo#
#ooooooo#
#oooooooo#
#ooooooooo#
#oooooo#####
#ooo#oo#
#oo##oo#
#o#  #oo#
##   #oo#
#     #oo#
      #oo#
       ##`)
	// Beam stands between letters.
	Beam = newCursor(image.Pt(4, 8), `
####o####
o###o###o
oooo#oooo
   o#o
   o#o
   o#o
   o#o
   o#o
   o#o
   o#o
   o#o
   o#o
   o#o
   o#o
oooo#oooo
o###o###o
####o####`)
	// Hand is over what can be clicked.
	Hand = newCursor(image.Pt(5, 0), `
     ##
    #oo#
    #oo#
    #oo#
    #oo#
    #oo###
    #oo#oo###
    #oo#oo#oo##
 ## #oo#oo#oo#o#
#oo##oo#oo#oo#oo#
#ooo#oooooooooo#o#
 #oo#oooooooooooo#
  #oooooooooooooo#
  #oooooooooooooo#
   #ooooooooooooo#
   #oooooooooooo#
    #ooooooooooo#
    #oooooooooo#
     #ooooooooo#
     ###########`)
	// Cross is for drawing.
	Cross = newCursor(image.Pt(7, 7), `
      ooo
      o#o
      o#o
      o#o
      o#o
      o#o
ooooooo ooooooo
o#####   #####o
ooooooo ooooooo
      o#o
      o#o
      o#o
      o#o
      o#o
      ooo`)
	// Move is for what is being dragged.
	Move = newCursor(image.Pt(8, 8), `
        #
       #o#
      #ooo#
     #ooooo#
      ##o##
   #   #o#   #
  #o#  #o#  #o#
 #oo####o####oo#
#ooooooooooooooo#
 #oo####o####oo#
  #o#  #o#  #o#
   #   #o#   #
      ##o##
     #ooooo#
      #ooo#
       #o#
        #`)
)

// newCursor reads a drawing: # is black, o is white, anything else absent.
func newCursor(hotspot image.Point, drawing string) *Cursor {
	rows := strings.Split(strings.TrimPrefix(drawing, "\n"), "\n")
	width := 0
	for _, row := range rows {
		width = max(width, len(row))
	}
	img := image.NewRGBA(image.Rect(0, 0, width, len(rows)))
	for y, row := range rows {
		for x, c := range []byte(row) {
			switch c {
			case '#':
				img.SetRGBA(x, y, color.RGBA{0x16, 0x20, 0x1e, 0xff})
			case 'o':
				img.SetRGBA(x, y, color.RGBA{0xff, 0xff, 0xff, 0xff})
			}
		}
	}
	return &Cursor{img, hotspot}
}

// append appends the data of a Cursor rectangle (RFC 6143 7.8.1): pixels, then a bitmask of rows of whole bytes.
func (c *Cursor) append(b []byte, f pixelFormat) []byte {
	b = appendRaw(b, c.Image, c.Image.Rect, f)
	for y := range c.Image.Rect.Dy() {
		mask := make([]byte, (c.Image.Rect.Dx()+7)/8)
		for x := range c.Image.Rect.Dx() {
			if c.Image.RGBAAt(x, y).A != 0 {
				mask[x/8] |= 0x80 >> (x % 8)
			}
		}
		b = append(b, mask...)
	}
	return b
}
