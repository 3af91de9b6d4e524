package ocr

// page is a picture as tesseract likes it: dark on light, with all shades between, letters of some 25 pixels, and a border.
type page struct {
	width, height int
	grey          []byte
}

// prepare makes a page of a picture; ok is unset when all of it has nearly one shade, so that there is nothing to read.
func prepare(p *Picture) (_ page, ok bool) {
	var counts [256]int
	for _, g := range p.Grey {
		counts[g]++
	}
	darkest, lightest, sum := 255, 0, 0
	for g, n := range counts {
		if n > 0 {
			darkest, lightest = min(darkest, g), max(lightest, g)
			sum += g * n
		}
	}
	if lightest-darkest < minSpread {
		return page{}, false
	}
	invert := 2*sum < (darkest+lightest)*len(p.Grey) // most of it is dark: it is light on dark
	var shade [256]uint8
	for g := range shade {
		v := (min(max(g, darkest), lightest) - darkest) * 255 / (lightest - darkest)
		if invert {
			v = 255 - v
		}
		shade[g] = uint8(v)
	}
	in := page{p.Width + 2*border, p.Height + 2*border, nil}
	in.grey = make([]byte, in.width*in.height)
	ground := shade[commonest(&counts)]
	for i := range in.grey {
		in.grey[i] = ground
	}
	for y := range p.Height {
		row := in.grey[(y+border)*in.width+border:]
		for x, g := range p.Grey[y*p.Width : (y+1)*p.Width] {
			row[x] = shade[g]
		}
	}
	return enlarge(in), true
}

func commonest(counts *[256]int) int {
	best := 0
	for g, n := range counts {
		if n > counts[best] {
			best = g
		}
	}
	return best
}

// enlarge makes a page scale times as large, with shades between pixels in proportion to their distance: first each row, then
// between rows.
func enlarge(in page) page {
	out := page{in.width * scale, in.height * scale, nil}
	out.grey = make([]byte, out.width*out.height)
	wide := make([]byte, in.height*out.width)
	for y := range in.height {
		row, to := in.grey[y*in.width:(y+1)*in.width], wide[y*out.width:(y+1)*out.width]
		for x := range to {
			a, b, part := between(x, in.width)
			to[x] = mix(row[a], row[b], part)
		}
	}
	for y := range out.height {
		a, b, part := between(y, in.height)
		above, below := wide[a*out.width:(a+1)*out.width], wide[b*out.width:(b+1)*out.width]
		to := out.grey[y*out.width : (y+1)*out.width]
		for x := range to {
			to[x] = mix(above[x], below[x], part)
		}
	}
	return out
}

// between is where pixel i of the larger lies in the smaller of n pixels: part/(2*scale) of the way from a to b, by their middles.
func between(i, n int) (a, b, part int) {
	at := 2*i + 1 - scale // the middle, in 1/(2*scale) pixels
	if at < 0 {
		return 0, 0, 0
	}
	a = at / (2 * scale)
	return a, min(a+1, n-1), at % (2 * scale)
}

func mix(a, b uint8, part int) uint8 {
	return uint8((int(a)*(2*scale-part) + int(b)*part) / (2 * scale))
}
