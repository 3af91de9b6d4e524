package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/codec/fmp4/fmp4test"
	recorder "github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// leave puts a recording into the spool of a gateway that does not run, as a worker leaves one: a picture every half second for so long,
// each with so many bytes that tell a decoder nothing.
func (g *gateway) leave(length time.Duration, filler int) (id string) {
	g.t.Helper()
	id = ulid.Make().String()
	dir := filepath.Join(g.dir, "data", "spool", id)
	require.NoError(g.t, os.MkdirAll(dir, 0o700))
	noise := rand.NewChaCha8([32]byte{1})
	synctest.Test(g.t.(*testing.T), func(t *testing.T) {
		rec, err := recorder.NewRecorder(dir, recorder.SessionInfo{SessionID: id, StartedAt: time.Now(), Target: recorder.Target{ID: "one", Name: "One"}}, recorder.Options{})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- rec.Run(ctx) }()
		clip := fmp4test.New(t)
		for i := 0; rec.Elapsed() < length; i++ {
			if i%120 == 0 {
				clip.IDR()
			}
			au := clip.Unit(rec.Elapsed())
			if filler > 0 {
				b := make([]byte, filler)
				_, _ = noise.Read(b)
				for k := range b {
					b[k] |= 1 // no start code within
				}
				au.Data = append(append(au.Data, 0, 0, 0, 1, 12), b...) // filler data, H.264 7.3.2.7
			}
			require.NoError(t, rec.WriteUnit(t.Context(), au))
			time.Sleep(500 * time.Millisecond)
		}
		require.NoError(t, rec.Seal(recorder.EndReason{Code: "user_disconnected", Message: "over"}))
		require.NoError(t, <-ran)
		cancel()
	})
	db, err := store.Open(g.t.Context(), filepath.Join(g.dir, "data", "vitrine.db"))
	require.NoError(g.t, err)
	defer db.Close()
	require.NoError(g.t, db.Sessions.Create(g.t.Context(), store.Session{
		ID: id, UserID: "u", UserName: "alice", TargetID: "one", TargetName: "One", State: store.StateEnded, StartedAt: time.Now(),
	}))
	require.NoError(g.t, db.Recordings.Put(g.t.Context(), store.Recording{SessionID: id, State: store.RecordingUploading}))
	return id
}

// wentOn returns what a job had kept of all when it went on, as the log of serve tells.
func (g *gateway) wentOn(job string) (kept, all int) {
	g.t.Helper()
	m := regexp.MustCompile(`msg="export goes on".*export_id=` + job + `.* kept=(\d+) of=(\d+)`).FindStringSubmatch(g.logs())
	require.NotNil(g.t, m, "the log says nothing of it:\n%s", g.logs())
	kept, _ = strconv.Atoi(m[1])
	all, _ = strconv.Atoi(m[2])
	return kept, all
}

// TestExportsSurviveKill kills serve in the midst of a film and of an evidence package: the next life finishes them without doing
// again what was done, and progress does not go back.
func TestExportsSurviveKill(t *testing.T) {
	t.Parallel()
	testbed.Require(t, "ffmpeg", "ffprobe")
	dir := t.TempDir()
	calls, program := filepath.Join(dir, "calls"), filepath.Join(dir, "ffmpeg")
	require.NoError(t, os.WriteFile(program, fmt.Appendf(nil, "#!/bin/sh\nprintf '%%s\\n' \"$*\" >> %s\nexec ffmpeg \"$@\"\n", calls), 0o700))
	encoded := func() int {
		b, _ := os.ReadFile(calls)
		return strings.Count(string(b), "-i part.mp4")
	}
	g := startGateway(t, "recording:\n  export: {ffmpeg: "+program+"}\n")
	g.stop()
	const minutes = 10
	film, large := g.leave(minutes*time.Minute, 0), g.leave(100*time.Second, 1<<20)
	g.start()
	g.sealed(film, time.Minute)
	g.sealed(large, time.Minute)

	j := g.beginExport(film, map[string]any{"kind": "mp4", "burn_time": true})
	require.Eventually(t, func() bool { return encoded() == 4 }, time.Minute, time.Millisecond)
	testbed.Eventually(t, time.Minute, "progress is noted", func() bool { return g.exportJob(film, j.ID).Progress > 0 || encoded() > 6 })
	noted := g.exportJob(film, j.ID)
	require.Equal(t, "running", noted.State)
	g.kill()
	before := encoded()
	var parts []struct{ First, Last string }
	b, err := os.ReadFile(filepath.Join(g.dir, "data", "exports", j.ID, "parts.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &parts))
	require.GreaterOrEqual(t, len(parts), 3)
	g.start()
	require.GreaterOrEqual(t, g.exportJob(film, j.ID).Progress, noted.Progress)
	require.Eventually(t, func() bool {
		now := g.exportJob(film, j.ID)
		require.NotEqual(t, "failed", now.State, now.Error)
		require.GreaterOrEqual(t, now.Progress, noted.Progress)
		return now.State == "done"
	}, 2*time.Minute, 50*time.Millisecond)
	kept, all := g.wentOn(j.ID)
	require.Equal(t, len(parts), kept)
	require.Equal(t, minutes, all)
	require.Equal(t, all-kept, encoded()-before, "what was kept is not encoded again")
	require.InDelta(t, minutes*60, probe(t, g.download(film, j.ID)).Seconds(), 1)

	j = g.beginExport(large, map[string]any{"kind": "package"})
	note := filepath.Join(g.dir, "data", "exports", j.ID, "package.json")
	testbed.Eventually(t, time.Minute, "a part of the package is noted", func() bool { _, err := os.Stat(note); return err == nil })
	g.kill()
	var work recorder.PackageWork
	b, err = os.ReadFile(note)
	require.NoError(t, err, "it was not killed in the midst")
	require.NoError(t, json.Unmarshal(b, &work))
	result := filepath.Join(filepath.Dir(note), "result")
	was, err := os.Stat(result)
	require.NoError(t, err)
	require.GreaterOrEqual(t, was.Size(), work.End())
	require.NoError(t, os.Link(result, filepath.Join(g.dir, "kept"))) // its inode is taken
	g.start()
	require.Eventually(t, func() bool { return g.exportJob(large, j.ID).State == "done" }, time.Minute, 50*time.Millisecond)
	kept, all = g.wentOn(j.ID)
	require.Equal(t, len(work.Packed), kept)
	require.Greater(t, all, kept)
	is, err := os.Stat(result)
	require.NoError(t, err)
	require.True(t, os.SameFile(was, is), "it is the file of before")
	out, err := exec.Command(binary, "verify", "--public-key", filepath.Join(g.dir, "data", "evidence.key.pub"), g.download(large, j.ID)).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
