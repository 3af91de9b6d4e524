// Package freerdpref decodes and encodes with libfreerdp's own codecs, as the reference that tests and
// benchmarks of this project's codecs compare themselves with. It is for tests only.
//
// The library is called by a small C program (ref/ref.c), compiled once per content into the user's cache folder
// and run as a process of its own: a reference that crashes on hostile bytes is an error of one call, not the
// end of the test. It needs gcc, pkg-config and FreeRDP 2 with its headers (Debian: freerdp2-dev,
// libwinpr2-dev).
package freerdpref

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// Codec is one of libfreerdp's codecs. The comment of each says what Item.Args mean to Decode and to Encode;
// an argument not named is 0.
type Codec uint32

// The codecs.
const (
	// Interleaved RLE. Decode: bits a pixel; with 8, Data begins with 256 colours of BGRX.
	// Encode: bits a pixel; at most 64×64 pixels.
	Interleaved Codec = 1
	// Planar. Decode: 0, 1 when bottom-up, as its encoder writes. Encode: format header flags (0x10 RLE, 0x20 no alpha), 1 for alpha.
	Planar Codec = 2
	// NSC is NSCodec. Decode: 0, 1 when bottom-up, as its encoder writes. Encode: colour loss level, 1 for subsampling, 1 for alpha.
	NSC Codec = 3
	// RFX is RemoteFX. Decode: X and Y are where the picture's own coordinates begin. Encode: 1 for RLGR1, else RLGR3.
	RFX Codec = 4
	// Progressive is RemoteFX progressive. Decode: surface (each of the canvas's size), frame.
	Progressive Codec = 5
	// Clear is ClearCodec. Decode only. When a job repeats, every repetition begins at sequence number 0.
	Clear Codec = 6
	// ZGFX is RDP8 bulk compression. Decode: Result.Out is what came out. Encode: any bytes; FreeRDP 2 stores them uncompressed.
	ZGFX Codec = 7
	// Raw is uncompressed. Decode only: bits a pixel (8: like Interleaved), 1 when bottom-up; rows are len(Data)/H bytes.
	Raw Codec = 8
)

const encodeOffset = 100 // from the op of a decoder to that of its encoder

// ErrRefused is returned when libfreerdp finds the bytes malformed or does not want to encode the picture.
var ErrRefused = errors.New("freerdpref: refused by libfreerdp")

// Item is one compressed piece and where it goes.
type Item struct {
	X, Y int    // of the top left corner on the canvas
	W, H int    // what the codec is told is the size of the bitmap
	Args [4]int // [0] and [1]: see Codec; [2] and [3]: size of the destination when not W×H (bitmap codecs only)
	Data []byte
}

// Job is what Decode is asked to do.
type Job struct {
	Codec  Codec
	W, H   int    // the canvas; it keeps its pixels until a job with another size or Reset
	Items  []Item // decoded in order
	Repeat int    // how often, for timing; 0 means once
}

// Result is what came of a Job.
type Result struct {
	Picture pixel.BGRX    // the canvas, also when an item was refused
	Out     []byte        // ZGFX's output
	Took    time.Duration // one repetition, without the way to the process and back
	Refused int           // index of the item, -1 when none was
}

// Ref is a running reference with one context per codec, which live until Reset. Not for concurrent use.
type Ref struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start runs a reference that ends with the test. When it cannot be had the test is skipped, or failed with
// the environment variable CI set.
func Start(t testing.TB) *Ref {
	t.Helper()
	path, err := program()
	if err != nil {
		unavailable(t, err)
		return nil
	}
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), "WLOG_LEVEL=OFF")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatalf("freerdpref: %v", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("freerdpref: %v", err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("freerdpref: %v", err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // a crash has been reported by the call that met it
	})
	return &Ref{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<16)}
}

// Decode does a job. The error is ErrRefused when an item was refused, and another when the process died.
func (r *Ref) Decode(job Job) (Result, error) {
	body, status, took, err := r.call(uint32(job.Codec), job.Repeat, job.W, job.H, job.Items)
	if err != nil {
		return Result{}, err
	}
	res := Result{Took: took, Refused: int(status) - 1}
	if job.Codec == ZGFX {
		res.Out = body
	} else {
		res.Picture = pixel.BGRX{Pix: body, Stride: job.W * 4, Width: job.W, Height: job.H}
		if err := res.Picture.Check(); err != nil {
			return res, fmt.Errorf("freerdpref: the answer: %w", err)
		}
	}
	if status != 0 {
		return res, ErrRefused
	}
	return res, nil
}

// Encode returns the code of a picture.
func (r *Ref) Encode(c Codec, p pixel.BGRX, args ...int) ([]byte, error) {
	it := Item{W: p.Width, H: p.Height}
	copy(it.Args[:], args)
	for y := range p.Height {
		it.Data = append(it.Data, p.Row(y)...)
	}
	return r.encode(c, it)
}

// EncodeBytes returns what bytes are compressed to.
func (r *Ref) EncodeBytes(c Codec, b []byte) ([]byte, error) {
	return r.encode(c, Item{Data: b})
}

func (r *Ref) encode(c Codec, it Item) ([]byte, error) {
	body, status, _, err := r.call(uint32(c)+encodeOffset, 1, 0, 0, []Item{it})
	if err == nil && status != 0 {
		err = ErrRefused
	}
	return body, err
}

// Reset makes all contexts and the canvas new.
func (r *Ref) Reset() error {
	_, _, _, err := r.call(0, 0, 0, 0, nil)
	return err
}

// call makes one request of the protocol that ref/ref.c describes.
func (r *Ref) call(op uint32, repeat, w, h int, items []Item) ([]byte, uint32, time.Duration, error) {
	b := make([]byte, 4, 64)
	word := func(v int) { b = binary.LittleEndian.AppendUint32(b, uint32(v)) }
	for _, v := range []int{int(op), max(repeat, 1), w, h, len(items)} {
		word(v)
	}
	for _, it := range items {
		for _, v := range []int{it.X, it.Y, it.W, it.H, it.Args[0], it.Args[1], it.Args[2], it.Args[3], len(it.Data)} {
			word(v)
		}
		b = append(b, it.Data...)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	if _, err := r.in.Write(b); err != nil {
		return nil, 0, 0, fmt.Errorf("freerdpref: the process has ended: %w", err)
	}
	var head [16]byte
	if _, err := io.ReadFull(r.out, head[:]); err != nil {
		return nil, 0, 0, fmt.Errorf("freerdpref: the process died of this request: %w", err)
	}
	body := make([]byte, binary.LittleEndian.Uint32(head[:])-12)
	if _, err := io.ReadFull(r.out, body); err != nil {
		return nil, 0, 0, fmt.Errorf("freerdpref: the process died of this request: %w", err)
	}
	return body, binary.LittleEndian.Uint32(head[4:]), time.Duration(binary.LittleEndian.Uint64(head[8:])), nil
}
