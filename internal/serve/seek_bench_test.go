package serve

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// The recording BenchmarkSeek seeks in: typing and scrolling in 1080p without a pause, which is the most there is to decode from
// one IDR picture to the next.
const (
	longMinutes   = 240
	longPeriod    = 30 // seconds from one IDR picture to the next, which is as many pictures as the recorder lets be
	longPeriods   = longMinutes * 60 / longPeriod
	longWidth     = 1920
	longHeight    = 1080
	longRate      = 10 // pictures a second
	longSeeks     = 40
	segmentTenths = 30
	writeTenths   = 6 // of a fragment: the recorder writes every 750 ms
	codeSquare    = 32
	codeBits      = 9
	periodX       = 1600 // where a picture tells its period: far from its tenth, which must not be predicted from there
)

// BenchmarkSeek seeks at random in a recording of 4 hours, through the whole gateway on loopback, in Chromium, and reports when
// the right picture was there. It needs the console (make build).
//
//	go test -run '^$' -bench Seek -benchtime 1x ./internal/serve
func BenchmarkSeek(b *testing.B) {
	console := os.DirFS("../../web/dist")
	if _, err := os.Stat("../../web/dist/assets"); err != nil {
		b.Skip("the console is not built")
	}
	cfg, err := config.Parse([]byte("data_dir: data\nlimits: {requests_per_minute: 0}\n"), b.TempDir(), nil)
	require.NoError(b, err)
	id := ulid.Make().String()
	began := time.Now()
	makeLong(b, filepath.Join(cfg.SpoolDir, id), id)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	g, err := Open(b.Context(), Options{
		Config: cfg, Console: console, Version: "bench", Logger: slog.New(slog.DiscardHandler), Listener: l,
		newWorkers: func(*config.Config, string, *slog.Logger, *observer) (workers, error) { return &fakeWorkers{}, nil },
	})
	require.NoError(b, err)
	defer func() { require.NoError(b, g.Close()) }()
	require.NoError(b, g.db.Sessions.Create(b.Context(), store.Session{
		ID: id, UserID: "u", UserName: "alice", TargetID: "desk", TargetName: "Desk", State: store.StateEnded, StartedAt: time.Now(),
	}))
	require.NoError(b, g.db.Recordings.Put(b.Context(), store.Recording{SessionID: id, State: store.RecordingUploading}))
	password, err := g.ResetFirstUser(b.Context())
	require.NoError(b, err)
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	defer func() {
		stop()
		require.NoError(b, <-done)
	}()
	require.Eventually(b, func() bool {
		rec, err := g.db.Recordings.Get(b.Context(), id)
		return err == nil && rec.State == store.RecordingSealed
	}, 10*time.Minute, 100*time.Millisecond)
	b.Logf("sealed after %v", time.Since(began).Round(time.Second))
	began = time.Now()
	line, err := g.review.Timeline(b.Context(), id)
	require.NoError(b, err)
	require.Len(b, line.Markers, longPeriods)
	b.Logf("timeline after %v", time.Since(began))
	for b.Loop() {
		seekInBrowser(b, g.URL(), password, id)
	}
}

func seekInBrowser(b *testing.B, url, password, id string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "node", "bench/seek.mjs", url, identity.FirstUser, id, strconv.Itoa(longSeeks))
	cmd.Dir, cmd.Env = "../../web", append(os.Environ(), "VITRINE_PASSWORD="+password)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(b, err, "%s", &complaints)
	var took []float64
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var seek struct{ MS, At float64 }
		require.NoError(b, json.Unmarshal(lines.Bytes(), &seek))
		took = append(took, seek.MS)
	}
	require.Len(b, took, longSeeks)
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "ms-median")
	b.ReportMetric(took[len(took)*95/100], "ms-p95")
	b.ReportMetric(took[len(took)-1], "ms-worst")
}

// someBlocks are the blocks of a rectangle, in blocks.
type someBlocks struct{ x0, y0, x1, y1 int }

func (s someBlocks) Runs(fn func(y, x0, x1 int)) {
	for y := s.y0; y < s.y1; y++ {
		fn(y, s.x0, s.x1)
	}
}

// several are rectangles, apart from each other vertically.
type several []someBlocks

func (s several) Runs(fn func(y, x0, x1 int)) {
	for _, r := range s {
		r.Runs(fn)
	}
}

// makeLong writes a finished recording into a spool folder, as a worker leaves it. Every period begins with an IDR picture of its
// own; the pictures after it are the same in all periods, which tells no decoder anything, and saves encoding them.
func makeLong(b *testing.B, dir, id string) {
	b.Helper()
	require.NoError(b, os.MkdirAll(dir, 0o700))
	enc, err := h264.NewEncoder(h264.Config{Width: longWidth, Height: longHeight, Preset: h264.Veryfast})
	require.NoError(b, err)
	defer enc.Close()
	p, r := enc.Planes(), rand.New(rand.NewPCG(1, 2))
	// Letters are strokes of ink in boxes of 8 by 16 pixels; every third line is full, as on a desktop.
	var letters [40][16 * 8]byte
	for i := range letters {
		for j := range letters[i] {
			letters[i][j] = 240
			if x, y := j%8, j/8; y > 2 && y < 13 && x > 0 && x < 7 && (x == 1+i%5 || y == 3+i%9 || (x+y)%(3+i%4) == 0 && i%2 == 0) {
				letters[i][j] = 30
			}
		}
	}
	text := func(x0, y0, x1, y1 int) {
		for y := y0; y < y1; y += 16 {
			for x := x0; x < x1; x += 8 {
				letter := &letters[r.IntN(len(letters))]
				for j := range letter {
					ink := letter[j]
					if y/16%3 != 0 && x > longWidth/4 || x/8%7 == 0 {
						ink = 240
					}
					p.Y[(y+j/8)*p.StrideY+x+j%8] = ink
				}
			}
		}
	}
	code := func(x0, value int) {
		for i := range codeBits {
			v := byte(16)
			if value>>(codeBits-1-i)&1 == 1 {
				v = 235
			}
			for y := range codeSquare {
				for x := x0 + i*codeSquare; x < x0+(i+1)*codeSquare; x++ {
					p.Y[y*p.StrideY+x] = v
				}
			}
		}
	}
	for i := range p.Y {
		p.Y[i] = 240
	}
	for i := range p.Cb {
		p.Cb[i], p.Cr[i] = 128, 128
	}
	text(0, 128, longWidth, longHeight)
	code(0, 0)
	window := slices.Clone(p.Y)
	pts := time.Duration(0)
	encode := func(idr bool, changed h264.Blocks) []byte {
		coded, err := enc.Encode(h264.Frame{PTS: pts, QP: 22, IDR: idr, Changed: changed})
		require.NoError(b, err)
		require.Equal(b, idr, coded.IDR)
		pts += time.Second / longRate
		return coded.Data
	}
	first := encode(true, nil)
	deltas := make([][]byte, longPeriod*longRate)
	for n := 1; n < len(deltas); n++ {
		code(0, n)
		changed := several{{0, 0, codeBits * codeSquare / 16, codeSquare / 16}}
		if n%20 == 0 { // a window scrolls by a line
			for y := 320; y < 944; y++ {
				copy(p.Y[y*p.StrideY+320:][:1280], p.Y[(y+16)*p.StrideY+320:])
			}
			text(320, 944, 1600, 960)
			changed = append(changed, someBlocks{20, 20, 100, 60})
		} else { // a letter is typed
			x := 64 + n%100*16
			text(x, 1024, x+16, 1040)
			changed = append(changed, someBlocks{x / 16, 64, x/16 + 1, 65})
		}
		deltas[n] = encode(false, changed)
	}
	copy(p.Y, window)

	s := spool{b: b, dir: dir}
	session := recording.SessionInfo{Format: recording.FormatVersion, SessionID: id, StartedAt: time.Now().UTC(), Keys: recording.KeysFull}
	raw, err := json.Marshal(session)
	require.NoError(b, err)
	s.put(recording.Entry{Name: "session.json", Kind: recording.KindSession}, raw)
	sps, pps, err := h264.ParameterSets(first)
	require.NoError(b, err)
	init := fmp4.Init{SPS: sps, PPS: pps, Width: longWidth, Height: longHeight}
	raw, err = init.Encode()
	require.NoError(b, err)
	s.put(recording.Entry{Name: "init-000000.mp4", Kind: recording.KindInit, Codec: init.Codec(), Width: longWidth, Height: longHeight}, raw)
	const tick = fmp4.Timescale / longRate
	for period := range longPeriods {
		code(periodX, period)
		idr := encode(true, nil)
		s.typing(period)
		for n := 0; n < len(deltas); n += segmentTenths {
			var data []byte
			for at := n; at < n+segmentTenths; at += writeTenths {
				f := fmp4.Fragment{Sequence: uint32(period*len(deltas)+at) + 1, Start: uint64(period*len(deltas)+at) * tick, Sync: at == 0}
				for i := at; i < at+writeTenths; i++ {
					unit := deltas[i]
					if i == 0 {
						unit = idr
					}
					before := len(f.Payload)
					f.Payload = h264.AppendAVCC(f.Payload, unit)
					f.Samples = append(f.Samples, fmp4.Sample{Duration: tick, Size: uint32(len(f.Payload) - before)})
				}
				data, err = f.Append(data)
				require.NoError(b, err)
			}
			s.put(recording.Entry{
				Name: fmt.Sprintf("seg-%06d.m4s", s.segments), Kind: recording.KindSegment, Init: "init-000000.mp4", Sync: n == 0, Samples: segmentTenths,
				Start: recording.Ticks((period*len(deltas) + n) * tick), Duration: segmentTenths * tick,
			}, data)
			s.segments++
		}
	}
	s.seal(session)
	b.Logf("%d MB in %d segments, IDR pictures of %d KB", s.bytes>>20, s.segments, len(first)>>10)
}

// spool is a session's folder.
type spool struct {
	b        *testing.B
	dir      string
	entries  []recording.Entry
	journal  bytes.Buffer
	segments int
	bytes    int64
}

// put writes a file and its line of the journal (FORMAT.md).
func (s *spool) put(e recording.Entry, data []byte) {
	s.b.Helper()
	require.NoError(s.b, os.WriteFile(filepath.Join(s.dir, e.Name), data, 0o600))
	e.Size, e.SHA256 = int64(len(data)), sha256.Sum256(data)
	line, err := json.Marshal(e)
	require.NoError(s.b, err)
	var head recording.Hash
	if n := len(s.entries); n > 0 {
		head = s.entries[n-1].Chain
	}
	e.Chain = sha256.Sum256(append(head[:], line...))
	line, err = json.Marshal(e)
	require.NoError(s.b, err)
	s.journal.Write(append(line, '\n'))
	s.entries, s.bytes = append(s.entries, e), s.bytes+e.Size
}

// typing writes the event file of a period: eight keys a second, and a line.
func (s *spool) typing(period int) {
	s.b.Helper()
	var data bytes.Buffer
	first := int64(period*longPeriod) * 1e6
	us, count := first, 0
	for ; us < first+29_900_000; us += 125_000 {
		for _, down := range []bool{true, false} {
			fmt.Fprintf(&data, `{"t_us":%d,"kind":"key","actor":"alice","keysym":97,"key":"a","down":%t}`+"\n", us, down)
			count++
		}
	}
	fmt.Fprintf(&data, `{"t_us":%d,"kind":"line","actor":"alice","text":"sudo systemctl restart app-%d.service","first_us":%d,"ended":"enter"}`+"\n", us, period, first)
	s.put(recording.Entry{
		Name: fmt.Sprintf("events-%06d.ndjson", period), Kind: recording.KindEvents, FirstUS: first, LastUS: us, Count: count + 1,
	}, data.Bytes())
}

func (s *spool) seal(session recording.SessionInfo) {
	s.b.Helper()
	last := s.entries[len(s.entries)-1]
	m, err := json.Marshal(recording.Manifest{
		Format: session.Format, SessionID: session.SessionID, StartedAt: session.StartedAt, EndedAt: session.StartedAt.Add(last.End().Duration()),
		SealedAt: time.Now().UTC(), SealedBy: recording.ByWorker, Duration: last.End(), Files: s.entries,
	})
	require.NoError(s.b, err)
	require.NoError(s.b, os.WriteFile(filepath.Join(s.dir, "journal.ndjson"), s.journal.Bytes(), 0o600))
	require.NoError(s.b, os.WriteFile(filepath.Join(s.dir, "manifest.json"), m, 0o600))
}
