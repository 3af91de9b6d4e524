package screentext

import (
	"hash/maphash"
	"image"
	"slices"
	"time"
)

// scratch is memory that is used again.
type scratch struct {
	counts []uint16 // of 16 shades for each column
	ground []uint8  // of each column
	ink    []int    // in each row
}

// cut returns what of a patch was not read lately.
func (w *Watcher) cut(patch image.Rectangle, now time.Time) []Region {
	around := image.Rect(patch.Min.X, patch.Min.Y-margin, patch.Max.X, patch.Max.Y+margin).Intersect(image.Rectangle{Max: w.size})
	var regions []Region
	for _, line := range apart(w.lines(nil, around, 0), w.thinnest) {
		if !line.Overlaps(patch) || line.Dy() < minLine {
			continue
		}
		if line.Dy() <= tallLine {
			line = w.widen(line)
		}
		if line.Dx() >= minWidth && w.seen.note(w.hash(line), now) {
			regions = append(regions, w.region(line, now)...)
		}
	}
	return regions
}

// lines takes a rectangle apart: by rows without ink into lines, tall ones by columns without ink, and those by rows again.
func (w *Watcher) lines(out []image.Rectangle, r image.Rectangle, depth int) []image.Rectangle {
	if r.Dx() < minWidth || r.Dy() < minLine {
		return out
	}
	w.grounds(r)
	s := &w.scratch
	s.ink = slices.Grow(s.ink[:0], r.Dy())[:r.Dy()]
	for y := range r.Dy() {
		s.ink[y] = 0
		for x, g := range w.row(r, y) {
			if differs(g, s.ground[x]) {
				s.ink[y]++
			}
		}
	}
	for _, band := range runs(s.ink) {
		line := image.Rect(r.Min.X, r.Min.Y+band[0], r.Max.X, r.Min.Y+band[1])
		if len(out) == maxLines {
			return out
		}
		gap := wideGap
		if line.Dy() > tallLine {
			gap = columnGap
		}
		columns := w.columns(line, r, gap)
		if len(columns) == 0 {
			continue
		}
		whole := line.Dy() <= tallLine || line.Dy() == r.Dy() && depth > 0 // else it may be lines that other columns have joined
		if len(columns) == 1 && whole || depth == maxDepth {
			out = append(out, columns[0].Union(columns[len(columns)-1])) // a line; or a picture, or text over one
			continue
		}
		for _, c := range columns {
			out = w.lines(out, c, depth+1)
		}
		w.grounds(r) // what the columns have overwritten
	}
	return out
}

// apart splits lines that touch each other, by a descender or a cursor: those about twice as tall as the others, at their thinnest row.
func apart(lines []image.Rectangle, thinnest func(image.Rectangle) int) []image.Rectangle {
	if len(lines) < 3 {
		return lines
	}
	heights := make([]int, len(lines))
	for i, l := range lines {
		heights[i] = l.Dy()
	}
	slices.Sort(heights)
	usual := heights[len(heights)/2]
	var out []image.Rectangle
	for _, l := range lines {
		if 2*l.Dy() >= 3*usual+usual/2 && l.Dy() <= tallLine && usual >= minLine {
			middle := image.Rect(l.Min.X, l.Min.Y+l.Dy()/4, l.Max.X, l.Max.Y-l.Dy()/4)
			at := thinnest(middle)
			out = append(out, image.Rect(l.Min.X, l.Min.Y, l.Max.X, at), image.Rect(l.Min.X, at, l.Max.X, l.Max.Y))
			continue
		}
		out = append(out, l)
	}
	return out
}

// thinnest is the row with the least ink.
func (w *Watcher) thinnest(r image.Rectangle) int {
	ground := w.common(r)
	best, least := r.Min.Y, r.Dx()+1
	for y := range r.Dy() {
		ink := 0
		for _, g := range w.row(r, y) {
			if differs(g, ground) {
				ink++
			}
		}
		if ink < least {
			best, least = r.Min.Y+y, ink
		}
	}
	return best
}

// grounds finds the ground of each column of r: in a line the commonest shade of all; in what is tall, too, where a good part of the column has
// it, and else the column's own commonest.
func (w *Watcher) grounds(r image.Rectangle) {
	s := &w.scratch
	s.counts = slices.Grow(s.counts[:0], 16*r.Dx())[:16*r.Dx()]
	clear(s.counts)
	for y := range r.Dy() {
		for x, g := range w.row(r, y) {
			s.counts[16*x+int(g>>4)]++
		}
	}
	common := w.common(r)
	s.ground = slices.Grow(s.ground[:0], r.Dx())[:r.Dx()]
	for x := range s.ground {
		if r.Dy() <= tallLine || 5*int(s.counts[16*x+int(common>>4)]) >= r.Dy() {
			s.ground[x] = common
			continue
		}
		best := 0
		for i, n := range s.counts[16*x : 16*x+16] {
			if n > s.counts[16*x+best] {
				best = i
			}
		}
		s.ground[x] = uint8(best<<4 + 8)
	}
}

func (w *Watcher) row(r image.Rectangle, y int) []byte {
	return w.grey[(r.Min.Y+y)*w.size.X+r.Min.X:][:r.Dx()]
}

func differs(a, b uint8) bool { return max(a, b)-min(a, b) > contrast }

// runs are the stretches of rows with ink. A thin one, a dot or an accent, belongs to the nearest beside it, where there is one.
func runs(ink []int) [][2]int {
	var out [][2]int
	for y := 0; y < len(ink); y++ {
		if ink[y] == 0 {
			continue
		}
		from := y
		for y < len(ink) && ink[y] > 0 {
			y++
		}
		n := len(out)
		thin := func(b [2]int) bool { return b[1]-b[0] < minLine }
		if now := [2]int{from, y}; n > 0 && from-out[n-1][1] <= maxDot && (thin(now) || thin(out[n-1])) {
			out[n-1][1] = y
		} else {
			out = append(out, now)
		}
	}
	return out
}

// columns takes a line apart where there is no ink for more than gap, and leaves out what is none at both ends. within is what grounds was called
// for.
func (w *Watcher) columns(line, within image.Rectangle, gap int) []image.Rectangle {
	ink := make([]bool, line.Dx())
	for y := range line.Dy() {
		for x, g := range w.row(line, y) {
			if differs(g, w.scratch.ground[line.Min.X-within.Min.X+x]) {
				ink[x] = true
			}
		}
	}
	var out []image.Rectangle
	for x := 0; x < len(ink); {
		if !ink[x] {
			x++
			continue
		}
		from, last := x, x
		for x < len(ink) && x-last <= gap {
			if ink[x] {
				last = x
			}
			x++
		}
		out = append(out, image.Rect(line.Min.X+from, line.Min.Y, line.Min.X+last+1, line.Max.Y))
	}
	return out
}

// widen lets a line go on to both sides of a patch, word for word: of a line only its end may have changed. It stops at the edge of a window.
func (w *Watcher) widen(line image.Rectangle) image.Rectangle {
	ground := w.common(line)
	gap := 3 * line.Dy()
	beyond := image.Rect(line.Min.X, line.Min.Y-minLine, line.Max.X, line.Max.Y+minLine).Intersect(image.Rectangle{Max: w.size})
	reach := func(x, step int) int {
		last := x
		for at := x + step; at >= 0 && at < w.size.X && max(at, last)-min(at, last) <= gap; at += step {
			ink, edge := false, true
			for y := beyond.Min.Y; y < beyond.Max.Y; y++ {
				is := differs(w.grey[y*w.size.X+at], ground)
				ink = ink || is && y >= line.Min.Y && y < line.Max.Y
				edge = edge && is
			}
			if edge {
				break
			}
			if ink {
				last = at
			}
		}
		return last
	}
	line.Min.X, line.Max.X = reach(line.Min.X, -1), reach(line.Max.X-1, 1)+1
	inked := func(y int) bool {
		for _, g := range w.grey[y*w.size.X+line.Min.X : y*w.size.X+line.Max.X] {
			if differs(g, ground) {
				return true
			}
		}
		return false
	}
	// What was there before may reach a little higher and lower. What goes on is another line.
	top, bottom := line.Min.Y, line.Max.Y
	for top > beyond.Min.Y && inked(top-1) {
		top--
	}
	for bottom < beyond.Max.Y && inked(bottom) {
		bottom++
	}
	if top > beyond.Min.Y {
		line.Min.Y = top
	}
	if bottom < beyond.Max.Y {
		line.Max.Y = bottom
	}
	return line
}

// common is the commonest shade of a rectangle.
func (w *Watcher) common(r image.Rectangle) uint8 {
	var counts [16]int
	for y := range r.Dy() {
		for _, g := range w.row(r, y) {
			counts[g>>4]++
		}
	}
	best := 0
	for i, n := range counts {
		if n > counts[best] {
			best = i
		}
	}
	return uint8(best<<4 + 8)
}

func (w *Watcher) hash(r image.Rectangle) uint64 {
	hash := uint64(r.Dx())<<32 | uint64(r.Dy())
	for y := range r.Dy() {
		hash = hash*0x9e3779b97f4a7c15 + maphash.Bytes(w.seed, w.row(r, y))
	}
	return hash
}

// region copies a rectangle of the picture, in parts that overlap where it is too large.
func (w *Watcher) region(r image.Rectangle, now time.Time) []Region {
	var out []Region
	height := max(maxRegionPixels/r.Dx(), 2*margin) // of the widest desktop 32 rows: then a part is a little larger
	for top := r.Min.Y; top < r.Max.Y; top += height - margin {
		part := image.Rect(r.Min.X, top, r.Max.X, min(top+height, r.Max.Y))
		grey := make([]byte, 0, part.Dx()*part.Dy())
		for y := range part.Dy() {
			grey = append(grey, w.row(part, y)...)
		}
		out = append(out, Region{Bounds: part, Grey: grey, At: now})
		if part.Max.Y == r.Max.Y {
			break
		}
	}
	return out
}

// memory knows the lines that were read of late, by their hashes.
type memory struct {
	last  map[uint64]time.Time // when they were there last
	order []uint64             // as they were first seen, a ring
	next  int
}

func newMemory() memory { return memory{last: map[uint64]time.Time{}} }

// note notes that a line is there, and reports whether it is to be read.
func (m *memory) note(hash uint64, now time.Time) bool {
	at, known := m.last[hash]
	m.last[hash] = now
	if known {
		return now.Sub(at) > forget
	}
	if len(m.order) < maxSeen {
		m.order = append(m.order, hash)
		return true
	}
	delete(m.last, m.order[m.next])
	m.order[m.next] = hash
	m.next = (m.next + 1) % maxSeen
	return true
}
