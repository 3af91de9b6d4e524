package export

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/codec/fmp4/fmp4test"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/review"
	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const session = "01JA0000000000000000000009"

// sealedKeys encrypt the recording of every session alike.
type sealedKeys struct{}

func (sealedKeys) Key(context.Context, string) ([]byte, error) {
	return bytes.Repeat([]byte{7}, 32), nil
}

// signing signs with one key.
type signing struct{ *signkey.Key }

func (s signing) Trust() (recording.Trust, error) { return s.Trusted(), nil }

type journal struct {
	mu      sync.Mutex
	entries []audit.Entry
}

func (j *journal) Record(_ context.Context, e audit.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
	return nil
}

type rig struct {
	*Service
	t     *testing.T
	audit *journal
	key   *signkey.Key
	now   time.Time
	mu    sync.Mutex // of now
}

func (r *rig) at() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// newRig has one sealed, encrypted recording of two sizes, in which somebody tries to be markup.
func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), storetest.Migrated(t))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	key, err := signkey.Open(filepath.Join(dir, "key"), "test")
	require.NoError(t, err)
	objects, err := objectstore.OpenDisk(filepath.Join(dir, "store"))
	require.NoError(t, err)
	t.Cleanup(func() { objects.Close() })
	spool := filepath.Join(dir, "spool", session)
	require.NoError(t, os.MkdirAll(spool, 0o700))
	record(t, spool)
	ctx, cancel := context.WithCancel(t.Context())
	up := recording.NewUploader(filepath.Dir(spool), objects, key, slog.New(slog.DiscardHandler), recording.UploaderOptions{
		Keys: sealedKeys{}, OnState: func(_ string, s recording.State) {
			if s.Sealed {
				cancel()
			}
		},
	})
	require.NoError(t, up.Run(ctx))
	require.NoError(t, db.Sessions.Create(t.Context(), store.Session{ID: session, UserName: "<b>alice</b>", TargetName: "Desk", State: "ended", StartedAt: time.Now()}))
	require.NoError(t, db.Recordings.Put(t.Context(), store.Recording{SessionID: session, State: store.RecordingSealed}))
	library := recording.NewLibrary(filepath.Dir(spool), objects, sealedKeys{})
	r := &rig{t: t, audit: &journal{}, key: key, now: time.Now()}
	r.Service = New(Options{
		DB: db, Library: library, Signing: signing{key}, PublicKeys: func() ([]byte, error) { return key.Public(), nil },
		Texts: review.New(review.Options{DB: db, Library: library, Logger: slog.New(slog.DiscardHandler)}), Audit: r.audit,
		Folder: filepath.Join(dir, "exports"), FFmpeg: "ffmpeg", Concurrent: 1, Expiry: time.Hour, Now: r.at, Logger: slog.New(slog.DiscardHandler),
	})
	return r
}

func record(t *testing.T, spool string) {
	t.Helper()
	rec, err := recording.NewRecorder(spool, recording.SessionInfo{SessionID: session, StartedAt: time.Now()}, recording.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- rec.Run(ctx) }()
	clip := fmp4test.New(t)
	for i := range 24 {
		switch {
		case i == 12:
			clip.Resize()
		case i%4 == 0:
			clip.IDR()
		}
		require.NoError(t, rec.WriteUnit(t.Context(), clip.Unit(time.Duration(i)*time.Second)))
	}
	require.NoError(t, rec.Event(recording.ClipboardEvent{Actor: "alice", Direction: "to_target", Text: `<script>{\pos(0,0)} --> & </script>`}))
	require.NoError(t, rec.Seal(recording.EndReason{Code: "test", Message: "over"}))
	cancel()
	<-done
}

// run runs the service until the returned function is called.
func (r *rig) run() (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(r.t, <-done)
	}
}

func (r *rig) wait(id, state string) store.ExportJob {
	r.t.Helper()
	var j store.ExportJob
	require.Eventually(r.t, func() bool {
		var err error
		j, err = r.Get(r.t.Context(), session, id)
		require.NoError(r.t, err)
		return j.State == state || j.State == store.ExportFailed
	}, time.Minute, 5*time.Millisecond)
	require.Equal(r.t, state, j.State, j.Error)
	return j
}

// TestPackage: a package verifies with the public key and nothing else, packed and unpacked, and no change of it passes.
func TestPackage(t *testing.T) {
	r := newRig(t)
	j, err := r.Begin(t.Context(), Wish{SessionID: session, Kind: Package, Reason: "court", UserID: "u", UserName: "bob"})
	require.NoError(t, err)
	stop := r.run()
	j = r.wait(j.ID, store.ExportDone)
	name := filepath.Join(r.opts.Folder, j.ID, resultName)
	trust := r.key.Trusted()
	v, err := recording.VerifyPath(t.Context(), name, trust)
	require.NoError(t, err)
	require.True(t, v.Packaged)
	require.False(t, v.Encrypted, "it can be read")
	require.Equal(t, r.key.ID(), v.SignedBy)
	folder := unpack(t, name)
	_, err = recording.VerifyPath(t.Context(), folder, trust)
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(folder, "report.html"))
	require.NoError(t, err)
	for _, want := range []string{"&lt;b&gt;alice", "&lt;script&gt;{\\pos(0,0)}", "court", j.UserName, strings.ReplaceAll(r.key.ID(), "+", "&#43;"), "seg-000000.m4s"} {
		require.Contains(t, string(page), want)
	}
	require.NotContains(t, string(page), "<script")

	for what, c := range map[string]struct {
		change func(dir string) error
		file   string
	}{
		"report":        {func(dir string) error { return flip(filepath.Join(dir, "report.html")) }, "report.html"},
		"keys":          {func(dir string) error { return flip(filepath.Join(dir, "public-keys.txt")) }, "public-keys.txt"},
		"no report":     {func(dir string) error { return os.Remove(filepath.Join(dir, "report.html")) }, "report.html"},
		"another file":  {func(dir string) error { return os.WriteFile(filepath.Join(dir, "more.txt"), nil, 0o600) }, "more.txt"},
		"the statement": {func(dir string) error { return flip(filepath.Join(dir, "package.sig")) }, "package.sig"},
		"a segment":     {func(dir string) error { return flip(filepath.Join(dir, "recording", "seg-000000.m4s")) }, "seg-000000.m4s"},
		"an event": {func(dir string) error {
			return flip(filepath.Join(dir, "recording", "events-000000.ndjson"))
		}, "events-000000.ndjson"},
		"no segment":   {func(dir string) error { return os.Remove(filepath.Join(dir, "recording", "seg-000000.m4s")) }, "seg-000000.m4s"},
		"the manifest": {func(dir string) error { return flip(filepath.Join(dir, "recording", "manifest.json")) }, ""}, // or the file whose entry it is
	} {
		dir := unpack(t, name)
		require.NoError(t, c.change(dir), what)
		_, err := recording.VerifyPath(t.Context(), dir, trust)
		var found *recording.VerifyError
		require.ErrorAs(t, err, &found, what)
		if c.file != "" {
			require.Equal(t, c.file, found.File, what)
		}
	}

	// One download for each link, by who asked for it, while there is a result.
	ticket, _, err := r.Ticket(t.Context(), session, j.ID, "u")
	require.NoError(t, err)
	_, _, err = r.Download(t.Context(), session, j.ID, "other", ticket)
	require.ErrorIs(t, err, store.ErrTicket)
	_, f, err := r.Download(t.Context(), session, j.ID, "u", ticket)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, _, err = r.Download(t.Context(), session, j.ID, "u", ticket)
	require.ErrorIs(t, err, store.ErrTicket, "used")
	stop()
	r.mu.Lock()
	r.now = r.now.Add(time.Hour)
	r.mu.Unlock()
	stop = r.run()
	r.wait(j.ID, store.ExportExpired)
	require.Eventually(t, func() bool {
		_, err := os.Stat(name)
		return errors.Is(err, os.ErrNotExist)
	}, time.Minute, 5*time.Millisecond)
	_, _, err = r.Ticket(t.Context(), session, j.ID, "u")
	require.ErrorIs(t, err, ErrNotReady)
	stop()
	require.Equal(t, "recording_exported", r.audit.entries[0].Action)
	require.Equal(t, j.SHA256, r.audit.entries[0].Details["sha256"])
}

func flip(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	return os.WriteFile(name, b, 0o600)
}

func unpack(t *testing.T, name string) string {
	t.Helper()
	z, err := zip.OpenReader(name)
	require.NoError(t, err)
	defer z.Close()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, z))
	return dir
}

// What a restart breaks off goes on, also from files that are none; one that is cancelled leaves nothing; a lack of ffmpeg is said.
func TestJobs(t *testing.T) {
	r := newRig(t)
	wish := Wish{SessionID: session, Kind: MP4, Reason: "look", UserID: "u", UserName: "bob"}
	broken, err := r.Begin(t.Context(), wish)
	require.NoError(t, err)
	require.NoError(t, r.opts.DB.Exports.Running(t.Context(), broken.ID, 500))
	half := filepath.Join(r.opts.Folder, broken.ID)
	require.NoError(t, os.MkdirAll(half, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(half, resultName), []byte("half"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(half, copiedNote), []byte(`{"Segments":1,"Last":"seg-000000.m4s"}`), 0o600))
	cancelled, err := r.Begin(t.Context(), wish)
	require.NoError(t, err)
	require.NoError(t, r.Cancel(t.Context(), session, cancelled.ID))
	r.opts.FFmpeg = "no-such-program"
	wish.Film.BurnTime = true
	lacking, err := r.Begin(t.Context(), wish)
	require.NoError(t, err)
	for range maxOpen - 2 {
		_, err = r.Begin(t.Context(), wish)
		require.NoError(t, err)
	}
	_, err = r.Begin(t.Context(), wish)
	require.ErrorIs(t, err, store.ErrTooMany)

	stop := r.run()
	require.Greater(t, r.wait(broken.ID, store.ExportDone).Bytes, int64(1000))
	r.wait(cancelled.ID, store.ExportCancelled)
	var failed store.ExportJob
	require.Eventually(t, func() bool {
		failed, err = r.Get(t.Context(), session, lacking.ID)
		return err == nil && failed.State == store.ExportFailed
	}, time.Minute, 5*time.Millisecond)
	require.Equal(t, "ffmpeg_missing", failed.ErrorCode)
	stop()
	for _, id := range []string{cancelled.ID, lacking.ID} {
		_, err := os.Stat(filepath.Join(r.opts.Folder, id))
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

// TestFilm: with everything drawn in there is one size, a track of text, and every picture decodes; it is the same of many parts
// as of one.
func TestFilm(t *testing.T) {
	if testing.Short() {
		t.Skip("runs ffmpeg")
	}
	testbed.Require(t, "ffmpeg", "ffprobe")
	for name, part := range map[string]time.Duration{"few parts": partLength, "many parts": time.Second} {
		t.Run(name, func(t *testing.T) { testFilm(t, part) })
	}
}

func testFilm(t *testing.T, part time.Duration) {
	r := newRig(t)
	r.part = part
	j, err := r.Begin(t.Context(), Wish{SessionID: session, Kind: MP4, Reason: "look", UserID: "u", Film: Film{BurnTime: true, BurnEvents: true, Subtitles: true, OneSize: true}})
	require.NoError(t, err)
	stop := r.run()
	r.wait(j.ID, store.ExportDone)
	stop()
	name := filepath.Join(r.opts.Folder, j.ID, resultName)
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "json", name).Output()
	require.NoError(t, err)
	var probe struct {
		Streams []struct {
			Codec string `json:"codec_name"`
			Width int
		}
	}
	require.NoError(t, json.Unmarshal(out, &probe))
	require.Len(t, probe.Streams, 2)
	require.Equal(t, "h264", probe.Streams[0].Codec)
	require.Equal(t, "mov_text", probe.Streams[1].Codec)
	sizes, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=width", "-of", "csv=p=0", name).Output()
	require.NoError(t, err)
	widths := map[string]bool{}
	for w := range strings.FieldsSeq(string(sizes)) {
		widths[strings.Trim(w, ",")] = true
	}
	require.Len(t, widths, 1)
	complaints, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-xerror", "-i", name, "-f", "null", "-").CombinedOutput()
	require.NoError(t, err, string(complaints))
	text, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", name, "-map", "0:s:0", "-f", "srt", "-").Output()
	require.NoError(t, err)
	require.Contains(t, string(text), `pos(0,0)｝`)
	out, err = exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0", name).Output()
	require.NoError(t, err)
	last := -1.0
	for line := range strings.FieldsSeq(string(out)) {
		at, err := strconv.ParseFloat(strings.Trim(line, ","), 64)
		require.NoError(t, err)
		require.Greater(t, at, last, "no picture comes before another")
		require.True(t, last < 0 || at-last < 0.1, "no picture is missing between %v and %v", last, at)
		last = at
	}
	start, end := r.film(t).Span()
	require.InDelta(t, (end - start).Seconds(), last, 0.2, "to the end")
	left, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing but the result is left")
}

func (r *rig) film(t *testing.T) *recording.Export {
	t.Helper()
	rec, err := r.opts.Library.Open(t.Context(), session)
	require.NoError(t, err)
	t.Cleanup(func() { rec.Close() })
	x, err := rec.Export(t.Context())
	require.NoError(t, err)
	return x
}

// TestFilmGoesOn ends the service in the midst of the parts of a film: the next one encodes those that are missing and no other.
func TestFilmGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("runs ffmpeg")
	}
	testbed.Require(t, "ffmpeg")
	r := newRig(t)
	r.part = time.Second
	dir := t.TempDir()
	calls, program := filepath.Join(dir, "calls"), filepath.Join(dir, "ffmpeg")
	// The third part hangs until the service ends.
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nprintf '%s\\n' \"$*\" >> "+calls+
		"\n[ \"$(wc -l < "+calls+")\" != 3 ] || exec sleep 60\nexec ffmpeg \"$@\"\n"), 0o700))
	r.opts.FFmpeg = program
	j, err := r.Begin(t.Context(), Wish{SessionID: session, Kind: MP4, Reason: "look", UserID: "u", Film: Film{BurnTime: true}})
	require.NoError(t, err)
	encoded := func() (n int) {
		b, _ := os.ReadFile(calls)
		return strings.Count(string(b), "-i "+partSource)
	}
	stop := r.run()
	require.Eventually(t, func() bool { return encoded() == 3 }, time.Minute, 5*time.Millisecond)
	stop()
	folder := filepath.Join(r.opts.Folder, j.ID)
	require.FileExists(t, filepath.Join(folder, partName(1)))
	require.NoFileExists(t, filepath.Join(folder, partName(2)))
	require.NoError(t, r.opts.DB.Exports.Running(t.Context(), j.ID, 400))
	j, err = r.Get(t.Context(), session, j.ID)
	require.NoError(t, err)
	require.Equal(t, store.ExportRunning, j.State)

	stop = r.run()
	require.Eventually(t, func() bool { return encoded() > 3 }, time.Minute, time.Millisecond)
	now, err := r.Get(t.Context(), session, j.ID)
	require.NoError(t, err)
	require.GreaterOrEqual(t, now.Progress, 400)
	r.wait(j.ID, store.ExportDone)
	stop()
	parts, err := r.film(t).Split(time.Second)
	require.NoError(t, err)
	require.Greater(t, len(parts), 3)
	require.Equal(t, len(parts)+1, encoded(), "each part once, and again the one that was broken off")
}

func TestCaptions(t *testing.T) {
	list := captions([]review.Text{
		{US: 1_000_000, Kind: review.KindLine, Actor: "al", Text: "rm -rf\n {\\b1}<i>&"},
		{US: 2_000_000, Kind: review.KindScreen, Text: "seen anyway"},
		{US: 3_000_000, Kind: review.KindAlert, Text: strings.Repeat("x", 500)},
	}, 500*time.Millisecond, time.Minute)
	require.Equal(t, "WEBVTT\n\n00:00:00.500 --> 00:00:02.500\nal, typed: rm -rf ｛＼b1｝&lt;i&gt;&amp;\n\n00:00:02.500 --> 00:00:06.500\nALERT: "+
		strings.Repeat("x", maxCaption-1)+"…\n", webVTT(list))
	script := ass(640, 480, time.Date(2026, 1, 2, 3, 4, 5, 500e6, time.UTC), 2*time.Second, true, list)
	require.Contains(t, script, "Dialogue: 0,0:00:00.00,0:00:00.50,Time,0,0,0,2026-01-02 03:04:05 UTC\nDialogue: 0,0:00:00.50,0:00:01.50,Time,0,0,0,2026-01-02 03:04:06 UTC\n")
	require.Contains(t, script, "al, typed: rm -rf ｛＼b1｝<i>&\n")
}

func FuzzASSText(f *testing.F) {
	f.Add("a{\\b1}b\nDialogue: 0")
	f.Fuzz(func(t *testing.T, s string) {
		if out := assText(s); strings.ContainsAny(out, "{}\\\r\n") {
			t.Errorf("%q", out)
		}
	})
}
