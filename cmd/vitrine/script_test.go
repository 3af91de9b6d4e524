package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vitrine-psm/vitrine/codec/fmp4/fmp4test"
	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/signkey"
	"github.com/vitrine-psm/vitrine/internal/store"
)

const recordedSession = "01JA0000000000000000000009"

// record STORE makes a sealed recording in a disk store, by the real recorder and uploader.
func record(t *testing.T, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: record STORE")
	}
	spool := ts.MkAbs("record-spool")
	dir := filepath.Join(spool, recordedSession)
	ts.Check(os.MkdirAll(dir, 0o700))
	rec, err := recording.NewRecorder(dir, recording.SessionInfo{SessionID: recordedSession, StartedAt: time.Now()}, recording.Options{})
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- rec.Run(ctx) }()
	clip := fmp4test.New(t)
	for i := range 10 {
		ts.Check(rec.WriteUnit(ctx, clip.Unit(time.Duration(i)*time.Second)))
	}
	ts.Check(rec.Event(recording.TextEvent{Actor: "ann", Text: "ls -l\nhistory -c\n"}))
	ts.Check(rec.Seal(recording.EndReason{Code: "test"}))
	store, err := objectstore.OpenDisk(ts.MkAbs(args[0]))
	ts.Check(err)
	defer store.Close()
	key, err := signkey.Open(ts.MkAbs("data/evidence.key"), "vitrine")
	ts.Check(err)
	up := recording.NewUploader(spool, store, key, slog.New(slog.DiscardHandler), recording.UploaderOptions{
		OnState: func(_ string, s recording.State) {
			if s.Sealed {
				cancel()
			}
		},
	})
	ts.Check(up.Run(ctx))
	<-done
}

// trust TARGET FINGERPRINT remembers a certificate in the database below the folder data.
func trust(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: trust TARGET FINGERPRINT")
	}
	db, err := store.Open(context.Background(), ts.MkAbs("data/vitrine.db"))
	ts.Check(err)
	defer db.Close()
	_, err = db.Certificates.Trust(context.Background(), store.TargetCertificate{TargetID: args[0], Fingerprint: args[1], FirstSeen: time.Now()})
	ts.Check(err)
}

// alter FILE changes the last byte of a file.
func alter(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: alter FILE")
	}
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	b[len(b)-1] ^= 1
	ts.Check(os.WriteFile(name, b, 0o600))
}

// waitFor FILE REGEXP [VARIABLE] waits until a file that a command in the background writes matches, and keeps the first group.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: waitfor FILE REGEXP [VARIABLE]")
	}
	re := regexp.MustCompile(args[1])
	var content []byte
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		content, _ = os.ReadFile(ts.MkAbs(args[0])) // not there yet: not matched yet
		if m := re.FindSubmatch(content); m != nil {
			if len(args) == 3 {
				ts.Setenv(args[2], string(m[1]))
			}
			return
		}
	}
	ts.Fatalf("%s never matched %s:\n%s", args[0], args[1], content)
}

// setup URL CODE USER PASSWORD makes the first user.
func setup(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: setup URL CODE USER PASSWORD")
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	body := fmt.Sprintf(`{"code":%q,"username":%q,"password":%q}`, args[1], args[2], args[3])
	res, err := client.Post(args[0]+"/api/v1/setup", "application/json", strings.NewReader(body))
	ts.Check(err)
	defer res.Body.Close()
	if ok := res.StatusCode < 400; ok == neg {
		ts.Fatalf("set-up: %s", res.Status)
	}
}

// get URL [USER PASSWORD] prints the body of an answer, after signing in when asked to.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 && len(args) != 3 {
		ts.Fatalf("usage: get URL [USER PASSWORD]")
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	if len(args) == 3 {
		base := args[0][:strings.Index(args[0], "/api/")]
		res, err := client.Post(base+"/api/v1/sign-in", "application/json", strings.NewReader(`{"username":"`+args[1]+`","password":"`+args[2]+`"}`))
		ts.Check(err)
		res.Body.Close()
		for _, c := range res.Cookies() {
			req.AddCookie(c)
		}
	}
	res, err := client.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	if ok := res.StatusCode < 400; ok == neg {
		ts.Fatalf("%s: %s\n%s", args[0], res.Status, body)
	}
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
}
