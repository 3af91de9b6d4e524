package h264

/*
#cgo pkg-config: x264
#cgo CFLAGS: -O2 -std=gnu11
#cgo LDFLAGS: -lm
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// Preset trades bits for time.
type Preset int

// The presets carry the names of those of x264 that they resemble; all of them move by whole pixels, without loop
// filter and without lookahead.
const (
	// Ultrafast predicts whole macroblocks only: for motion that must not wait.
	Ultrafast Preset = iota
	// Superfast adds 4×4 prediction, which text likes, and a search wide enough for scrolling.
	Superfast
	// Veryfast adds partitions of 8×8 and more: the fewest bits, and for small changes no slower.
	Veryfast
)

func (p Preset) String() string {
	switch p {
	case Ultrafast:
		return "ultrafast"
	case Superfast:
		return "superfast"
	case Veryfast:
		return "veryfast"
	}
	return fmt.Sprintf("preset(%d)", int(p))
}

// Bounds of the quantiser (QP_Y, [ISO/IEC 14496-10] 7.4.5). Six more halve the precision.
const (
	MinQP = 8
	MaxQP = 46
)

// ErrClosed is returned by an Encoder that was closed.
var ErrClosed = errors.New("h264: encoder is closed")

// Config is what an Encoder is made for. Only Width and Height have no default.
type Config struct {
	// Width and Height are the visible picture in pixels. H.264 crops by two pixels in 4:2:0, so the stream says one
	// more where a side is odd, and that column or row repeats the one beside it.
	Width, Height int
	// FPSCap is the highest frame rate, for the level (A.3.1) only; 30 when zero.
	FPSCap int
	// Preset to start with.
	Preset Preset
	// Threads code slices of one picture at the same time; 1 when zero. More cost bits and no latency.
	Threads int
	// Logger receives the library's warnings at debug level; none when nil.
	Logger *slog.Logger
}

// constant marks a macroblock unchanged.
const constant = byte(C.X264_MBINFO_CONSTANT & 0xff)

// Blocks is a set of macroblocks: fn is called for runs [x0, x1) of block row y.
type Blocks interface {
	Runs(fn func(y, x0, x1 int))
}

// Frame says how to code the picture in the encoder's planes.
type Frame struct {
	// PTS is handed to the library; it must rise.
	PTS time.Duration
	// QP quantises the whole picture; clipped to MinQP…MaxQP.
	QP int
	// IDR makes a picture that needs no other, with the parameter sets before it. The first picture always is one.
	IDR bool
	// Changed holds at least every block whose pixels differ from the picture coded before; nil means all. A block left
	// out is skipped without being looked at, unless it was coded at a higher QP before: then it is sharpened.
	Changed Blocks
}

// Coded is what Encode made of a Frame.
type Coded struct {
	// Data is one access unit in Annex B form with 4-byte start codes, newly allocated and the caller's.
	Data []byte
	// IDR is set when decoding can start there.
	IDR bool
	// CPU is the time the calling thread spent in the library.
	CPU time.Duration
}

// Encoder makes constrained baseline H.264 out of I420 planes with x264: one slice type, one reference, no reordering,
// no delay, quantiser by the caller. It starts no goroutine and, with one thread, no thread. It is not safe for
// concurrent use. Close frees what it holds outside Go's heap.
//
// The bit rate is the caller's business because constant quantisers are what makes unchanged blocks free: x264
// skips a block marked constant only where the picture before was coded at least as finely. Its own rate control moves
// the quantiser with every picture, and looks at all of it in half resolution first: with CRF a small change takes
// 1.4 times as long.
type Encoder struct {
	e       *C.vx_encoder
	cleanup runtime.Cleanup
	planes  *pixel.Planes
	mbInfo  []byte // one per macroblock, in C memory
	cols    int    // macroblocks in a row
	header  []byte // SPS and PPS in Annex B form
	sps     *SPS
	mark    func(y, x0, x1 int)
	logger  *slog.Logger
	first   bool
}

// NewEncoder opens an encoder for one size. What fails is the size, or memory.
func NewEncoder(c Config) (*Encoder, error) {
	if c.Width < 1 || c.Height < 1 || c.Width > MaxCodedSide || c.Height > MaxCodedSide {
		return nil, fmt.Errorf("h264: picture %d×%d, need 1 to %d a side", c.Width, c.Height, MaxCodedSide)
	}
	if c.FPSCap == 0 {
		c.FPSCap = 30
	}
	if c.FPSCap < 1 || c.FPSCap > maxFPS {
		return nil, fmt.Errorf("h264: frame rate %d, need 1 to %d", c.FPSCap, maxFPS)
	}
	if c.Threads < 0 || c.Threads > maxThreads {
		return nil, fmt.Errorf("h264: %d threads, need at most %d", c.Threads, maxThreads)
	}
	if c.Preset < Ultrafast || c.Preset > Veryfast {
		return nil, fmt.Errorf("h264: unknown preset %d", c.Preset)
	}
	w, h := pixel.CodedSize(c.Width), pixel.CodedSize(c.Height)
	ce := (*C.vx_encoder)(C.calloc(1, C.sizeof_vx_encoder))
	if ce == nil {
		return nil, errors.New("h264: out of memory")
	}
	config := C.vx_config{
		width: C.int(w), height: C.int(h),
		crop_right: C.int((w - c.Width) &^ 1), crop_bottom: C.int((h - c.Height) &^ 1),
		fps: C.int(c.FPSCap), qp_min: MinQP, qp_max: MaxQP,
		threads: C.int(max(c.Threads, 1)), preset: C.int(c.Preset),
	}
	live.Add(1)
	if C.vx_open(ce, &config) != 0 {
		defer free(ce)
		return nil, fmt.Errorf("h264: x264 refuses %d×%d: %s", c.Width, c.Height, C.GoString(&ce.message[0]))
	}
	opened.Add(1)
	e := &Encoder{e: ce, cols: w / pixel.BlockSize, logger: c.Logger, first: true}
	if e.logger == nil {
		e.logger = slog.New(slog.DiscardHandler)
	}
	img := &ce.in.img
	e.planes = &pixel.Planes{
		Width: w, Height: h, StrideY: int(img.i_stride[0]), StrideC: int(img.i_stride[1]),
		Y:  unsafe.Slice((*byte)(img.plane[0]), int(img.i_stride[0])*h),
		Cb: unsafe.Slice((*byte)(img.plane[1]), int(img.i_stride[1])*h/2),
		Cr: unsafe.Slice((*byte)(img.plane[2]), int(img.i_stride[2])*h/2),
	}
	e.mbInfo = unsafe.Slice((*byte)(ce.mb_info), e.cols*h/pixel.BlockSize)
	e.mark = func(y, x0, x1 int) { clear(e.mbInfo[y*e.cols+x0 : y*e.cols+x1]) }
	if err := e.readHeaders(C.GoBytes(unsafe.Pointer(ce.headers), ce.headers_size)); err != nil {
		free(ce)
		return nil, err
	}
	e.cleanup = runtime.AddCleanup(e, free, ce)
	e.logMessage()
	return e, nil
}

// live counts encoders whose C memory is not yet freed.
var live atomic.Int64

// opened counts encoders that were opened, whoever asked for them.
var opened atomic.Uint64

// Opened returns how many encoders this process has opened so far.
func Opened() uint64 { return opened.Load() }

func free(e *C.vx_encoder) {
	live.Add(-1)
	C.vx_close(e)
	C.free(unsafe.Pointer(e))
}

// readHeaders keeps the parameter sets for every IDR. x264 says that frames come at a fixed rate; ours come when
// something changes.
func (e *Encoder) readHeaders(annexB []byte) error {
	sps, pps, err := ParameterSets(annexB)
	if err != nil {
		return err
	}
	if sps, err = variableFrameRate(sps); err != nil {
		return err
	}
	if e.sps, err = ParseSPS(sps); err != nil {
		return err
	}
	for _, nal := range [][]byte{sps, pps} {
		e.header = append(e.header, 0, 0, 0, 1)
		e.header = append(e.header, nal...)
	}
	return nil
}

// Planes returns the input picture: fill it, then Encode. It lies in C memory, keeps its content from picture to
// picture and must not be used after Close.
func (e *Encoder) Planes() *pixel.Planes { return e.planes }

// SPS returns the sequence parameter set of the stream: its profile, level and sizes.
func (e *Encoder) SPS() SPS { return *e.sps }

// SetPreset changes the speed from the next picture on.
func (e *Encoder) SetPreset(p Preset) error {
	if e.e == nil {
		return ErrClosed
	}
	if p < Ultrafast || p > Veryfast {
		return fmt.Errorf("h264: unknown preset %d", p)
	}
	if C.vx_preset(e.e, C.int(p)) != 0 {
		return fmt.Errorf("h264: x264 refuses preset %s: %s", p, C.GoString(&e.e.message[0]))
	}
	return nil
}

// Encode codes the planes.
func (e *Encoder) Encode(f Frame) (Coded, error) {
	if e.e == nil {
		return Coded{}, ErrClosed
	}
	idr := C.int(0)
	if f.IDR || e.first {
		idr = 1
	} else if f.Changed != nil {
		fill(e.mbInfo, constant)
		f.Changed.Runs(e.mark)
	} else {
		clear(e.mbInfo)
	}
	qp := min(max(f.QP, MinQP), MaxQP)
	if C.vx_encode(e.e, C.int64_t(f.PTS.Microseconds()), idr, C.int(qp)) != 0 {
		return Coded{}, fmt.Errorf("h264: x264 failed to encode %d×%d: %s", e.sps.Width, e.sps.Height, C.GoString(&e.e.message[0]))
	}
	e.logMessage()
	e.first = false
	c := Coded{IDR: e.e.keyframe != 0, CPU: time.Duration(e.e.cpu_ns)}
	unit := unsafe.Slice((*byte)(e.e.data), int(e.e.size))
	if c.IDR {
		c.Data = make([]byte, 0, len(e.header)+len(unit))
		c.Data = append(c.Data, e.header...)
	} else {
		c.Data = make([]byte, 0, len(unit))
	}
	c.Data = append(c.Data, unit...)
	return c, nil
}

func (e *Encoder) logMessage() {
	if e.e.message[0] != 0 {
		e.logger.Debug("x264 message", "message", C.GoString(&e.e.message[0]))
		e.e.message[0] = 0
	}
}

// Close frees the encoder and its planes. A second Close does nothing.
func (e *Encoder) Close() error {
	if e.e == nil {
		return nil
	}
	e.cleanup.Stop()
	free(e.e)
	e.e, e.planes, e.mbInfo = nil, nil, nil
	return nil
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}
