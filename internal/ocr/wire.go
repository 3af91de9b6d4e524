package ocr

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
)

// A request is four bytes, big-endian: the length of its head; the head in JSON; and the pixels of the pictures, one after the other.
// An answer is four bytes, likewise, and the answer in JSON. There is one answer to each request, in order.

// head is a request's.
type head struct {
	Sizes [][2]int `json:"sizes"` // width and height of each picture
}

// answer is what was read, or why nothing was.
type answer struct {
	Failure string     `json:"failure,omitempty"` // timeout, failed; empty: none
	Detail  string     `json:"detail,omitempty"`  // for the log
	Lines   []wireLine `json:"lines,omitempty"`
}

type wireLine struct {
	Picture int    `json:"p"`
	Box     [4]int `json:"b"` // left, top, right, bottom
	Text    string `json:"t"`
}

// errAnswer is what an answer is refused with that does not keep to the caps.
var errAnswer = errors.New("ocr: answer out of bounds")

func writeRequest(w io.Writer, pictures []Picture) error {
	var h head
	for i := range pictures {
		h.Sizes = append(h.Sizes, [2]int{pictures[i].Width, pictures[i].Height})
	}
	if err := writeFrame(w, h); err != nil {
		return err
	}
	for i := range pictures {
		if _, err := w.Write(pictures[i].Grey); err != nil {
			return err
		}
	}
	return nil
}

// readRequest returns io.EOF when there are no more.
func readRequest(r io.Reader) ([]Picture, error) {
	var h head
	if err := readFrame(r, maxHeaderBytes, &h); err != nil {
		return nil, err
	}
	if len(h.Sizes) == 0 || len(h.Sizes) > MaxPictures {
		return nil, fmt.Errorf("%w: %d, want 1 to %d", errPictures, len(h.Sizes), MaxPictures)
	}
	pictures, total := make([]Picture, len(h.Sizes)), 0
	for i, size := range h.Sizes {
		if size[0] < 1 || size[1] < 1 || size[0] > maxSide || size[1] > maxSide {
			return nil, fmt.Errorf("%w: %d×%d", errPictures, size[0], size[1])
		}
		if total += size[0] * size[1]; total > MaxPixels {
			return nil, fmt.Errorf("%w: more than %d pixels", errPictures, MaxPixels)
		}
		pictures[i] = Picture{Width: size[0], Height: size[1]}
	}
	pixels := make([]byte, total)
	if _, err := io.ReadFull(r, pixels); err != nil {
		return nil, fmt.Errorf("ocr: pixels: %w", noEOF(err))
	}
	for i := range pictures {
		n := pictures[i].Width * pictures[i].Height
		pictures[i].Grey, pixels = pixels[:n:n], pixels[n:]
	}
	return pictures, nil
}

func writeAnswer(w io.Writer, a answer) error { return writeFrame(w, a) }

// readAnswer reads the answer to pictures. A helper is not believed: it has looked at what somebody else has drawn.
func readAnswer(r io.Reader, pictures []Picture) (answer, error) {
	var a answer
	if err := readFrame(r, maxAnswerBytes, &a); err != nil {
		return answer{}, noEOF(err)
	}
	if len(a.Lines) > MaxLines {
		return answer{}, fmt.Errorf("%w: %d lines", errAnswer, len(a.Lines))
	}
	a.Failure, a.Detail = clean(a.Failure, maxFailureBytes), clean(a.Detail, maxFailureBytes)
	for i := range a.Lines {
		l := &a.Lines[i]
		if l.Picture < 0 || l.Picture >= len(pictures) {
			return answer{}, fmt.Errorf("%w: picture %d of %d", errAnswer, l.Picture, len(pictures))
		}
		p := &pictures[l.Picture]
		if !box(l.Box).In(image.Rect(0, 0, p.Width, p.Height)) {
			return answer{}, fmt.Errorf("%w: box %v in %d×%d", errAnswer, l.Box, p.Width, p.Height)
		}
		l.Text = clean(l.Text, MaxLineBytes)
	}
	return a, nil
}

func (a *answer) lines() []Line {
	var out []Line
	for _, l := range a.Lines {
		if l.Text != "" {
			out = append(out, Line{l.Picture, box(l.Box), l.Text})
		}
	}
	return out
}

func box(b [4]int) image.Rectangle { return image.Rect(b[0], b[1], b[2], b[3]) }

func writeFrame(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b))), b...))
	return err
}

// readFrame returns io.EOF only where a frame would begin.
func readFrame(r io.Reader, most int, v any) error {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > uint32(most) {
		return fmt.Errorf("ocr: a message of %d bytes exceeds %d", n, most)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return noEOF(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return errors.New("ocr: a message that is no JSON of its kind")
	}
	return nil
}

// noEOF tells an end in the midst of something from one between.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
