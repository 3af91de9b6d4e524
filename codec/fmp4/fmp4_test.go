package fmp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/vitrine-psm/vitrine/codec/fmp4/fmp4test"
	"github.com/vitrine-psm/vitrine/codec/h264"
)

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		d time.Duration
		n uint64
	}{
		{0, 0},
		{time.Second, 90000},
		{time.Nanosecond, 0},
		{11112 * time.Nanosecond, 1},
		{time.Microsecond * 11111, 999},
		{100 * 365 * 24 * time.Hour, 100 * 365 * 24 * 3600 * 90000},
	} {
		if got := Ticks(c.d); got != c.n {
			t.Errorf("Ticks(%v) = %d, want %d", c.d, got, c.n)
		}
		if back := Duration(c.n); back > c.d || c.d-back > time.Second/Timescale+time.Nanosecond {
			t.Errorf("Duration(%d) = %v, far from %v", c.n, back, c.d)
		}
	}
}

// testInit returns the parameter sets of the clip's next unit, an IDR picture.
func testInit(t testing.TB, au *h264.AccessUnit) Init {
	t.Helper()
	sps, pps, err := h264.ParameterSets(au.Data)
	if err != nil {
		t.Fatal(err)
	}
	return Init{SPS: sps, PPS: pps, Width: au.Width, Height: au.Height}
}

// fragmentOf makes a fragment of n pictures that last 0.1 s each.
func fragmentOf(clip *fmp4test.Clip, sequence uint32, start time.Duration, n int) *Fragment {
	f := &Fragment{Sequence: sequence, Start: Ticks(start)}
	for i := range n {
		au := clip.Unit(start + time.Duration(i)*100*time.Millisecond)
		f.Sync = f.Sync || au.IDR
		before := len(f.Payload)
		f.Payload = h264.AppendAVCC(f.Payload, au.Data)
		f.Samples = append(f.Samples, Sample{Duration: 9000, Size: uint32(len(f.Payload) - before)})
	}
	return f
}

// segmentOf makes a segment of fragments of the given numbers of pictures.
func segmentOf(t testing.TB, clip *fmp4test.Clip, pictures ...int) []byte {
	t.Helper()
	var b []byte
	var at time.Duration
	for i, n := range pictures {
		var err error
		if b, err = fragmentOf(clip, uint32(i+1), at, n).Append(b); err != nil {
			t.Fatal(err)
		}
		at += time.Duration(n) * 100 * time.Millisecond
	}
	return b
}

func TestInit(t *testing.T) {
	init := testInit(t, fmp4test.New(t).Unit(0))
	b, err := init.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseInit(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.SPS, init.SPS) || !bytes.Equal(got.PPS, init.PPS) || got.Width != 160 || got.Height != 120 {
		t.Errorf("parsed %+v, want %+v", got, init)
	}
	if got.Codec() != "avc1.42C00A" && got.Codec() != "avc1.42C00B" && got.Codec() != "avc1.42C00C" {
		t.Errorf("codec %s", got.Codec())
	}
	file, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var colr *mp4.ColrBox
	for _, box := range file.Moov.Trak.Mdia.Minf.Stbl.Stsd.AvcX.Children {
		if c, ok := box.(*mp4.ColrBox); ok {
			colr = c
		}
	}
	if colr == nil || colr.ColorType != "nclx" || colr.ColorPrimaries != 1 || colr.TransferCharacteristics != 1 || colr.MatrixCoefficients != 1 || !colr.FullRangeFlag {
		t.Errorf("colr is %+v, want nclx BT.709 full range", colr)
	}
	if ts := file.Moov.Trak.Mdia.Mdhd.Timescale; ts != Timescale {
		t.Errorf("timescale %d", ts)
	}
}

func TestInitRefuses(t *testing.T) {
	good := testInit(t, fmp4test.New(t).Unit(0))
	for name, change := range map[string]func(*Init){
		"no SPS":    func(i *Init) { i.SPS = nil },
		"profile":   func(i *Init) { i.SPS = bytes.Clone(i.SPS); i.SPS[1] = 110 },
		"PPS twice": func(i *Init) { i.SPS = i.PPS },
		"huge SPS":  func(i *Init) { i.SPS = append(bytes.Clone(i.SPS), make([]byte, 1<<16)...) },
		"no PPS":    func(i *Init) { i.PPS = nil },
		"no width":  func(i *Init) { i.Width = 0 },
		"too wide":  func(i *Init) { i.Width = 1 << 16 },
	} {
		bad := good
		change(&bad)
		if _, err := bad.Encode(); !errors.Is(err, ErrInit) {
			t.Errorf("%s: %v, want ErrInit", name, err)
		}
	}
}

// An independent reader sees what was written.
func TestFragmentAgreesWithMP4FF(t *testing.T) {
	clip := fmp4test.New(t)
	init := testInit(t, clip.Unit(0))
	clip.IDR()
	head, err := init.Encode()
	if err != nil {
		t.Fatal(err)
	}
	first := fragmentOf(clip, 7, 5*time.Second, 3)
	file, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(append(head, mustAppend(t, first)...)))
	if err != nil {
		t.Fatal(err)
	}
	frag := file.Segments[0].Fragments[0]
	samples, err := frag.GetFullSamples(file.Moov.Mvex.Trex)
	if err != nil {
		t.Fatal(err)
	}
	if frag.Moof.Mfhd.SequenceNumber != 7 || len(samples) != 3 {
		t.Fatalf("sequence %d, %d samples", frag.Moof.Mfhd.SequenceNumber, len(samples))
	}
	payload := first.Payload
	for i, s := range samples {
		if s.DecodeTime != Ticks(5*time.Second)+uint64(i)*9000 || s.Dur != 9000 || s.IsSync() != (i == 0) || !bytes.Equal(s.Data, payload[:first.Samples[i].Size]) {
			t.Errorf("sample %d: time %d, duration %d, sync %t", i, s.DecodeTime, s.Dur, s.IsSync())
		}
		payload = payload[first.Samples[i].Size:]
	}
}

func mustAppend(t testing.TB, f *Fragment) []byte {
	t.Helper()
	b, err := f.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != f.Size() {
		t.Fatalf("%d bytes, Size says %d", len(b), f.Size())
	}
	return b
}

func TestPatchLastDuration(t *testing.T) {
	f := fragmentOf(fmp4test.New(t), 1, 0, 4)
	b := mustAppend(t, f)
	PutDuration(b[f.LastDurationOffset():], 1234567)
	got, err := ParseFragment(b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Samples[3].Duration != 1234567 || got.End() != 3*9000+1234567 {
		t.Errorf("samples %+v", got.Samples)
	}
	PutDuration(b[f.LastDurationOffset():], 1<<40)
	if got, _ := ParseFragment(b); got.Samples[3].Duration != MaxDuration {
		t.Errorf("duration %d, want the cap", got.Samples[3].Duration)
	}
}

func TestAppendRefuses(t *testing.T) {
	for name, f := range map[string]Fragment{
		"no samples":       {},
		"too many samples": {Samples: make([]Sample, maxSamples+1)},
		"wrong sizes":      {Samples: []Sample{{Size: 3}}, Payload: make([]byte, 4)},
	} {
		if _, err := f.Append(nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestInspect(t *testing.T) {
	b := segmentOf(t, fmp4test.New(t), 3, 1, 5)
	var starts []uint64
	seg, err := InspectFunc(b, func(start, _ uint64) { starts = append(starts, start) })
	if err != nil {
		t.Fatal(err)
	}
	if seg.Whole != len(b) || seg.Fragments != 3 || seg.Samples != 9 || !seg.Sync || seg.Start != 0 || seg.End != 81000 ||
		seg.LastStart != 72000 || seg.Sequence != 3 || len(starts) != 9 || starts[8] != 72000 {
		t.Errorf("%+v, starts %v", seg, starts)
	}
	if d := binary.BigEndian.Uint32(b[seg.LastDuration:]); d != 9000 {
		t.Errorf("duration at the offset is %d", d)
	}
}

// Wherever a segment is cut, the whole fragments before the cut are found, and no more.
func TestInspectTruncated(t *testing.T) {
	clip := fmp4test.New(t)
	b := segmentOf(t, clip, 3, 1, 5)
	var ends []int
	for at := 0; at < len(b); {
		f, err := ParseFragment(b[at:])
		if err != nil {
			t.Fatal(err)
		}
		at += f.Size()
		ends = append(ends, at)
	}
	for n := range b {
		want := 0
		for _, end := range ends {
			if end <= n {
				want = end
			}
		}
		seg, err := Inspect(b[:n])
		if seg.Whole != want {
			t.Fatalf("cut at %d: %d whole bytes, want %d", n, seg.Whole, want)
		}
		var corrupt *CorruptError
		if n == want {
			if err != nil {
				t.Fatalf("cut at %d, a fragment's end: %v", n, err)
			}
		} else if !errors.As(err, &corrupt) || corrupt.Offset != want || !errors.Is(err, ErrShort) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		// After a power cut the length may be there and the bytes not.
		zeros := append(bytes.Clone(b[:n]), make([]byte, len(b)-n)...)
		if seg, err := Inspect(zeros); n == want && (seg.Whole != want || !errors.Is(err, ErrFormat)) {
			t.Fatalf("zeros from %d: %d whole bytes, %v", n, seg.Whole, err)
		}
	}
}

func TestInspectRefuses(t *testing.T) {
	clip := fmp4test.New(t)
	good := segmentOf(t, clip, 2, 2)
	second := len(mustAppend(t, fragmentOf(fmp4test.New(t), 1, 0, 2)))
	put := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) }
	}
	const (
		sequenceAt = boxHeader + fullHeader
		traf       = boxHeader + mfhdSize
		tfdtAt     = traf + boxHeader + tfhdSize
		trunAt     = tfdtAt + tfdtSize
	)
	for name, c := range map[string]struct {
		change func([]byte)
		whole  int
	}{
		"moof size":           {put(0, 1), 0},
		"box type":            {put(4, 0x66726565), 0},
		"sample count 0":      {put(trunAt+fullHeader, 0), 0},
		"sample count huge":   {put(trunAt+fullHeader, 1<<31), 0},
		"data offset":         {put(trunAt+fullHeader+4, 8), 0},
		"flags":               {put(trunAt+fullHeader+8, 0x12345678), 0},
		"sample size":         {put(trunAt+trunFixed+4, 0xffffffff), 0},
		"sample size shifted": {func(b []byte) { b[trunAt+trunFixed+7]--; b[trunAt+trunFixed+15]++ }, 0},
		"track":               {put(traf+boxHeader+fullHeader, 2), 0},
		"sequence":            {put(second+sequenceAt, 9), second},
		"time back":           {put(second+tfdtAt+fullHeader+4, 1), second},
		"sync inside":         {put(second+trunAt+fullHeader+8, flagsSync), second},
		"NAL length zero":     {put(second+moofFixed+2*sampleSize+boxHeader, 0), second},
		"NAL length huge":     {put(second+moofFixed+2*sampleSize+boxHeader, 0xfffffff0), second},
	} {
		b := bytes.Clone(good)
		c.change(b)
		seg, err := Inspect(b)
		if !errors.Is(err, ErrFormat) || seg.Whole != c.whole {
			t.Errorf("%s: whole %d, want %d; %v, want ErrFormat", name, seg.Whole, c.whole, err)
		}
	}
}

// ffprobe reads packets and their times as they were written, an hour of stillness included.
func TestFFprobe(t *testing.T) {
	if _, err := exec.LookPath("ffprobe"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED, NOTHING WAS TESTED: ffprobe is not installed")
	}
	clip := fmp4test.New(t)
	init := testInit(t, clip.Unit(0))
	clip.IDR()
	f := fragmentOf(clip, 1, 2*time.Second, 5)
	f.Samples[2].Duration = uint32(Ticks(time.Hour))
	body := mustAppend(t, f)
	movie := movieOf(t, []Init{init}, []int{0}, body)
	plain, err := init.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"movie": movie, "init and segment": append(plain, body...)} {
		path := filepath.Join(t.TempDir(), "f.mp4")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries",
			"packet=pts_time,flags:stream=width,height,color_range,color_space,color_primaries,color_transfer", "-of", "csv=p=0", path).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want := "2.000000,K\n2.100000,\n2.200000,\n3602.200000,\n3602.300000,\n160,120,pc,bt709,bt709,bt709\n"
		if got := strings.ReplaceAll(string(out), "_", ""); got != want {
			t.Errorf("%s: ffprobe says\n%swant\n%s", name, got, want)
		}
	}
}

// movieOf makes a movie of segments, whose sizes are given by their indices.
func movieOf(t testing.TB, inits []Init, size []int, segments ...[]byte) []byte {
	t.Helper()
	m, err := NewMovie(inits)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Header()
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range segments {
		if b, err = m.AppendSegment(b, s, size[i]); err != nil {
			t.Fatal(err)
		}
	}
	end, err := m.Trailer()
	if err != nil {
		t.Fatal(err)
	}
	return append(b, end...)
}

// A gap lengthens the sample before it; nothing may come before what was there.
func TestMovieTimes(t *testing.T) {
	clip := fmp4test.New(t)
	init := testInit(t, clip.Unit(0))
	clip.IDR()
	first := mustAppend(t, fragmentOf(clip, 1, time.Second, 3))
	second := mustAppend(t, fragmentOf(clip, 2, 2*time.Second, 2))
	movie := movieOf(t, []Init{init}, []int{0, 0}, first, second)
	file, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(movie[bytes.LastIndex(movie, []byte("moov"))-4:]))
	if err != nil {
		t.Fatal(err)
	}
	stbl := file.Moov.Trak.Mdia.Minf.Stbl
	var times []uint64
	for n := range 5 {
		at, _ := stbl.Stts.GetDecodeTime(uint32(n + 1))
		times = append(times, at)
	}
	if want := []uint64{0, 9000, 18000, 90000, 99000}; !slices.Equal(times, want) || file.Moov.Trak.Mdia.Mdhd.Duration != 108000 || file.Moov.Mvhd.Duration != 198000 {
		t.Errorf("samples at %v, want %v; durations %d, %d", times, want, file.Moov.Trak.Mdia.Mdhd.Duration, file.Moov.Mvhd.Duration)
	}
	m, err := NewMovie([]Init{init})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.AppendSegment(nil, second, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := m.AppendSegment(nil, first, 0); !errors.Is(err, ErrFormat) {
		t.Errorf("time going back: %v, want ErrFormat", err)
	}
	if _, err := m.AppendSegment(nil, nil, 0); !errors.Is(err, ErrFormat) {
		t.Errorf("empty segment: %v, want ErrFormat", err)
	}
	if _, err := m.AppendSegment(nil, first, 1); !errors.Is(err, ErrInit) {
		t.Errorf("size that is not there: %v, want ErrInit", err)
	}
	if _, err := NewMovie(nil); !errors.Is(err, ErrInit) {
		t.Errorf("no size: %v, want ErrInit", err)
	}
}

func FuzzInspect(f *testing.F) {
	clip := fmp4test.New(f)
	good := segmentOf(f, clip, 1, 2)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), make([]byte, 300)...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		seg, err := Inspect(b)
		if seg.Whole > len(b) || (err == nil) != (seg.Whole == len(b)) {
			t.Fatalf("%+v of %d bytes: %v", seg, len(b), err)
		}
		if seg.Whole == 0 {
			return
		}
		// What is whole stays whole, and is written again as it was read.
		again, err := Inspect(b[:seg.Whole])
		if err != nil || again != seg {
			t.Fatalf("%+v then %+v, %v", seg, again, err)
		}
		fragment, err := ParseFragment(b)
		if err != nil {
			t.Fatal(err)
		}
		out, err := fragment.Append(nil)
		if err != nil || !bytes.Equal(out, b[:len(out)]) {
			t.Fatalf("written again differs, %v", err)
		}
	})
}

func FuzzParseInit(f *testing.F) {
	init := testInit(f, fmp4test.New(f).Unit(0))
	good, err := init.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, profile := range []byte{77, 100} {
		init.SPS = bytes.Clone(init.SPS)
		init.SPS[1] = profile
		b, err := init.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(good[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		init, err := ParseInit(b)
		if err != nil {
			return
		}
		out, err := init.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseInit(out)
		if err != nil || !bytes.Equal(again.SPS, init.SPS) || !bytes.Equal(again.PPS, init.PPS) || again.Width != init.Width || again.Height != init.Height {
			t.Fatalf("%+v became %+v, %v", init, again, err)
		}
	})
}

func BenchmarkFragment(b *testing.B) {
	clip := fmp4test.New(b)
	f := fragmentOf(clip, 1, 0, 9)
	dst := make([]byte, 0, f.Size())
	b.ReportMetric(float64(f.Size()-len(f.Payload))/9, "overhead_B/picture")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Append(dst); err != nil {
			b.Fatal(err)
		}
	}
}
