package desktop

import "image"

// Overlay is drawn over the picture for everybody who shows it to people. It never reaches the picture itself, so that what the
// target copies or compares is what it has drawn.
type Overlay interface {
	// Draw draws over the pixels of r, whose sides are those of blocks or of the picture. pix is the whole picture, rows of
	// stride bytes. What it draws depends on nothing but the pixels of r and their place.
	Draw(pix []byte, stride int, r image.Rectangle)
}

// SetOverlay lays o over the picture from now on, or nothing for nil. changed are the rectangles in which that makes a
// difference, and all of the picture when nil: they are damaged, and shown like something the target has drawn.
func (f *Framebuffer) SetOverlay(o Overlay, changed func(size image.Point) []image.Rectangle) {
	f.mu.Lock()
	f.overlay = o
	switch {
	case o == nil:
		f.over, f.stale = nil, nil
	case f.over == nil:
		f.coverAll()
	}
	if changed == nil {
		f.damage.AddAll()
		if f.stale != nil {
			f.stale.AddAll()
		}
	} else {
		for _, r := range changed(f.size) {
			f.damage.Add(r)
			if f.stale != nil {
				f.stale.Add(r)
			}
		}
	}
	f.mu.Unlock()
	f.Commit()
}

// coverAll makes the picture with the overlay anew. It needs mu.
func (f *Framebuffer) coverAll() {
	f.over = make([]byte, len(f.pix))
	f.stale = NewDamage(f.size)
	f.stale.AddAll()
}

// visible returns the picture with its overlay. Only blocks drawn since the last call are copied; without an overlay it is the
// picture itself. It needs mu.
func (f *Framebuffer) visible() []byte {
	if f.overlay == nil {
		return f.pix
	}
	stride := f.size.X * BytesPerPixel
	f.stale.Runs(func(y, x0, x1 int) {
		r := image.Rect(x0*BlockSize, y*BlockSize, x1*BlockSize, (y+1)*BlockSize).Intersect(image.Rectangle{Max: f.size})
		for row := r.Min.Y; row < r.Max.Y; row++ {
			from := row*stride + r.Min.X*BytesPerPixel
			copy(f.over[from:from+r.Dx()*BytesPerPixel], f.pix[from:])
		}
		f.overlay.Draw(f.over, stride, r)
	})
	f.stale.Clear()
	return f.over
}
