package remotefx

import (
	"errors"
	"image"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// fuzzPicture is a picture with room before, after and between its rows that must stay as it is.
func fuzzPicture() (pixel.BGRX, func(t *testing.T)) {
	const width, height, stride, margin = 100, 70, 100*4 + 12, 64
	buf := make([]byte, margin+height*stride+margin)
	for i := range buf {
		buf[i] = 0x55
	}
	return pixel.BGRX{Pix: buf[margin:][:height*stride], Stride: stride, Width: width, Height: height}, func(t *testing.T) {
		for i, v := range buf {
			if at := i - margin; v != 0x55 && (at < 0 || at >= height*stride || at%stride >= width*4) {
				t.Fatalf("byte %d outside the picture was written", at)
			}
		}
	}
}

// checkUpdate fails the test when an error is not ErrData or a rectangle lies outside the picture.
func checkUpdate(t *testing.T, dst pixel.BGRX, rects []image.Rectangle, err error) {
	if err != nil && !errors.Is(err, ErrData) {
		t.Fatal(err)
	}
	for _, r := range rects {
		if r.Empty() || !r.In(bounds(dst)) {
			t.Fatalf("rectangle %v", r)
		}
	}
}

// sparsePicture is a square in the dark: its messages are short, which the fuzzer's minimiser likes.
func sparsePicture() pixel.BGRX {
	p := pixel.NewBGRX(100, 70)
	for y := 10; y < 20; y++ {
		for i := range 40 {
			p.Row(y)[200+i] = byte(100 + i)
		}
	}
	return p
}

// FuzzRemoteFX decodes two messages, one after the other, with the decoder that the first left.
func FuzzRemoteFX(f *testing.F) {
	picture := sparsePicture()
	headers := remoteFXHeaders(100, 70, true)
	frame := remoteFXFrame(picture, []image.Rectangle{image.Rect(0, 0, 64, 64), image.Rect(70, 3, 75, 5)}, evenQuant(8), true)
	f.Add(headers, frame, uint16(0), uint16(0))
	f.Add(append(remoteFXHeaders(64, 64, false), remoteFXFrame(picture, nil, evenQuant(9), false)...), []byte{}, uint16(50), uint16(10))
	f.Fuzz(func(t *testing.T, first, second []byte, x, y uint16) {
		dst, check := fuzzPicture()
		var d Decoder
		for _, m := range [][]byte{first, second} {
			rects, err := d.Decode(m, dst, image.Pt(int(x), int(y)))
			checkUpdate(t, dst, rects, err)
		}
		check(t)
	})
}

// FuzzProgressive decodes two messages on the same tiles, of one graphics frame or of two.
func FuzzProgressive(f *testing.F) {
	for _, extrapolate := range []bool{false, true} {
		messages, _ := progressiveStory(sparsePicture(), pixel.NewBGRX(100, 70), extrapolate)
		f.Add(messages[0], messages[1], extrapolate)
		f.Add(messages[0], messages[4], extrapolate)
	}
	e := newProgressiveEncoder(true)
	f.Add(progressiveMessage(e.region(sparsePicture(), []image.Rectangle{image.Rect(1, 1, 9, 70)}, tilesOf(image.Rect(0, 0, 100, 70)), progTileSimple, evenQuant(9), nil, fullQuality, false)), []byte{}, true)
	f.Fuzz(func(t *testing.T, first, second []byte, sameFrame bool) {
		dst, check := fuzzPicture()
		var d Progressive
		frame := uint32(1)
		for _, m := range [][]byte{first, second} {
			rects, err := d.Decode(frame, m, dst)
			checkUpdate(t, dst, rects, err)
			if !sameFrame {
				frame++
			}
		}
		check(t)
	})
}
