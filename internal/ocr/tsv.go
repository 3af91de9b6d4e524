package ocr

import (
	"bytes"
	"errors"
	"image"
	"strconv"
	"strings"
	"unicode"
)

// errTSV is what tesseract's output is refused with that is none.
var errTSV = errors.New("ocr: output that is no TSV of tesseract")

// Columns of tesseract's TSV. A row of level 5 is a word.
const (
	colLevel, colPage, colBlock, colParagraph, colLine = 0, 1, 2, 3, 4
	colLeft, colTop, colWidth, colHeight               = 6, 7, 8, 9
	colText                                            = 11 // after the confidence
	columns                                            = 12
	levelWord                                          = "5"
)

// parseTSV makes lines of the words tesseract has read. Boxes are in the pixels of the page.
func parseTSV(b []byte) ([]Line, error) {
	if len(b) > maxTSVBytes {
		return nil, errTSV
	}
	var lines []Line
	var words []string
	var in [4]string // the page, block, paragraph and line of words
	var now Line
	end := func() {
		if text := clean(strings.Join(words, " "), MaxLineBytes); signs(text) >= minSigns && len(lines) < MaxLines {
			now.Text = text
			lines = append(lines, now)
		}
		words = words[:0]
	}
	rows := 0
	for row := range bytes.Lines(b) {
		row = bytes.TrimRight(row, "\r\n")
		if rows++; rows > maxTSVRows {
			return nil, errTSV
		}
		if len(row) == 0 || bytes.HasPrefix(row, []byte("level\t")) {
			continue
		}
		cols := bytes.SplitN(row, []byte("\t"), columns)
		if len(cols) < columns-1 {
			return nil, errTSV
		}
		if string(cols[colLevel]) != levelWord || len(cols) < columns {
			continue
		}
		var n [columns]int
		var err error
		for _, c := range []int{colPage, colLeft, colTop, colWidth, colHeight} {
			if n[c], err = strconv.Atoi(string(cols[c])); err != nil || n[c] < 0 || n[c] > scale*(maxSide+2*border) {
				return nil, errTSV
			}
		}
		if n[colPage] < 1 || n[colPage] > MaxPictures {
			return nil, errTSV
		}
		at := [4]string{string(cols[colPage]), string(cols[colBlock]), string(cols[colParagraph]), string(cols[colLine])}
		if at != in {
			end()
			in, now = at, Line{Picture: n[colPage] - 1}
		}
		words = append(words, string(cols[colText]))
		now.Box = now.Box.Union(image.Rect(n[colLeft], n[colTop], n[colLeft]+n[colWidth], n[colTop]+n[colHeight]))
	}
	end()
	return lines, nil
}

// signs counts letters and digits.
func signs(s string) (n int) {
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// onPicture turns a box on a page into one on the picture it was made of.
func onPicture(b image.Rectangle, p *Picture) image.Rectangle {
	return image.Rect(b.Min.X/scale-border, b.Min.Y/scale-border, (b.Max.X+scale-1)/scale-border, (b.Max.Y+scale-1)/scale-border).
		Intersect(image.Rect(0, 0, p.Width, p.Height))
}
