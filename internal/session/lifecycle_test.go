package session

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

func TestNewRefuses(t *testing.T) {
	for _, c := range []Config{{}, {Hub: &fakeHub{}}, {Hub: &fakeHub{}, Recorder: &fakeRecorder{}}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v accepted", c)
		}
	}
}

// TestLife follows a session from its start to its end.
func TestLife(t *testing.T) {
	inRig(t, func(r *rig) {
		r.door.leave = func() { r.s.ViewerLeft(ann, "session ended") }
		r.want(r.take(), "record state connecting ", `status connecting  0x0 ""`)
		connected(r)
		r.want(r.take(), "record state active ", `status active  800x600 "desk"`, "record name desk", "door name desk")
		r.s.ViewerJoined(ann)
		r.want(r.take(), "viewers ann control", "record join ann v1 control 192.0.2.1", "record control taken ann")
		r.press(key('a', true))
		r.want(r.take(), "record key ann a true", "send key {Keysym:97 Scancode:0 Down:true}")
		r.s.Terminate(Person{}, End{Message: "Enough."})
		if end := r.end(EndTerminated); end.Message != "Enough." {
			t.Errorf("ended with %+v", end)
		}
		r.want(r.take(),
			"record key ann a false", "send key {Keysym:97 Scancode:0 Down:false}",
			"record leave ann v1: session ended", "door ended terminated", "viewers ", // at once
			"record state ended terminated", "seal terminated", `status ended terminated 800x600 "desk"`)
		if _, err := r.conn.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the connection to the target is still there: %v", err)
		}
		// What comes late finds a session that has ended, and does no harm.
		r.s.Connected("again")
		r.s.ViewerLeft(ann, "late")
		r.s.Terminate(Person{}, NewEnd(EndShutdown, ""))
		for _, err := range []error{
			r.s.Input(r.t.Context(), ann, key('b', true)), r.s.Freeze(r.t.Context(), bob.Person, End{}), r.s.Resume(r.t.Context(), bob.Person),
			r.s.TakeOver(r.t.Context(), bob.Person, "", true), r.s.Release(r.t.Context(), bob.Person),
			r.s.Resize(r.t.Context(), ann, image.Pt(640, 480)), r.s.Ping(r.t.Context()),
		} {
			if !errors.Is(err, RefusedEnded) {
				t.Errorf("after the end: %v", err)
			}
		}
		r.want(r.take())
	})
}

func TestTargetEnds(t *testing.T) {
	wrap := func(err error, text string) error { return fmt.Errorf("vncclient: %s: %w", text, err) }
	for _, c := range []struct {
		err     error
		want    EndCode
		message string
	}{
		{nil, EndTargetClosed, "The desktop closed the connection."},
		{wrap(desktop.ErrTargetGone, "read"), EndTargetClosed, "The desktop closed the connection."},
		{wrap(desktop.ErrAuth, "too many attempts"), EndTargetAuthFailed, "The desktop refused the credentials (too many attempts)."},
		{wrap(desktop.ErrCertificate, "has expired"), EndTargetCertificate, "The desktop's certificate was not accepted (has expired)."},
		{desktop.ErrSecurity, EndTargetSecurity, "The desktop offers no security that is allowed here."},
		{wrap(desktop.ErrWrongProtocol, "it said SSH-2.0"), EndTargetWrongProtocol, "What answers there is not a desktop of this kind (it said SSH-2.0)."},
		{wrap(desktop.ErrProtocol, "a rectangle of 70000 pixels"), EndTargetProtocolError, "The desktop sent something that makes no sense (a rectangle of 70000 pixels)."},
		{wrap(desktop.ErrSize, "1x1 pixel"), EndTargetProtocolError, "The desktop sent something that makes no sense (1x1 pixel)."},
		{wrap(desktop.ErrEnded, "it was idle for too long"), EndTargetEnded, "The desktop ended the session (it was idle for too long)."},
		{fmt.Errorf("rdpclient: redirected: %w: worker: not allowed: %w", desktop.ErrTargetGone, desktop.ErrEnded), EndTargetEnded, "The desktop ended the session (redirected: not allowed)."},
		{fmt.Errorf("trust: %w: x509: certificate signed by unknown authority", desktop.ErrCertificate), EndTargetCertificate, "The desktop's certificate was not accepted (certificate signed by unknown authority)."},
		{wrap(desktop.ErrTimeout, "heartbeat"), EndTargetTimeout, "The desktop did not answer in time."},
		{errors.New("nil pointer in vncclient"), EndInternal, "Something went wrong in the gateway."},
	} {
		for _, start := range []func(*testing.T, func(*rig), ...func(*rig)){inRig, inActive} {
			start(t, func(r *rig) {
				r.target.end <- c.err
				if end := r.end(c.want); end.Message != c.message {
					t.Errorf("%v is told as %q, want %q", c.err, end.Message, c.message)
				}
			})
		}
	}
}

func TestEveryEndHasWords(t *testing.T) {
	for code, words := range messages {
		if words == "" || !strings.HasSuffix(words, ".") || code.Message() != words {
			t.Errorf("%s: %q", code, words)
		}
	}
	if end := NewEnd("unheard_of", ""); end.Message != "" {
		t.Errorf("words for an unknown code: %+v", end)
	}
}

// TestFirstReasonCounts: what ends a session that is ending changes nothing.
func TestFirstReasonCounts(t *testing.T) {
	inActive(t, func(r *rig) {
		r.s.Terminate(Person{}, NewEnd(EndUserDisconnected, ""))
		r.s.Terminate(Person{}, NewEnd(EndTerminated, ""))
		r.recorder.broken <- recording.ErrSpoolFull
		r.target.end <- desktop.ErrTargetGone
		r.end(EndUserDisconnected)
	})
}

func TestShutdown(t *testing.T) {
	inActive(t, func(r *rig) {
		r.stop()
		r.end(EndShutdown)
	})
}

func TestPartFails(t *testing.T) {
	for name, fail := range map[string]func(*rig){
		"hub":  func(r *rig) { r.hub.broken <- errors.New("x264 gave up") },
		"door": func(r *rig) { r.door.broken <- errors.New("no socket") },
	} {
		t.Run(name, func(t *testing.T) {
			inActive(t, func(r *rig) {
				fail(r)
				if end := r.end(EndInternal); end.Message != EndInternal.Message() {
					t.Errorf("the fault's text is shown to people: %q", end.Message)
				}
			})
		})
	}
}

// TestLink: a session whose connection broke is frozen until it is back, unless it is frozen for another reason then.
func TestLink(t *testing.T) {
	inActive(t, func(r *rig) {
		r.take()
		r.s.LinkLost()
		synctest.Wait()
		r.want(r.take("record", "pictures", "door", "status"), "pictures still true", "record state frozen target_reconnecting",
			`status frozen target_reconnecting 800x600 "desk"`, "door frozen target_reconnecting")
		r.refused(RefusedFrozen, ann, key('b', true))
		r.s.LinkRestored()
		synctest.Wait()
		r.want(r.take("record state", "pictures", "door"), "record state active ", "pictures still false", "door active ")
		r.s.LinkLost()
		r.freeze()
		r.take()
		r.s.LinkRestored()
		r.running()
		r.want(r.take("record", "door", "pictures"), "pictures still false")
		r.refused(RefusedFrozen, ann, key('b', true))
		r.s.LinkRestored()
		r.s.LinkLost()
		r.s.LinkRestored()
		r.s.LinkLost()
		r.take()
		if err := r.s.Resume(r.t.Context(), bob.Person); err != nil {
			t.Fatal(err)
		}
		r.want(r.take("record", "door", "pictures"), "record resume bob", "pictures still true", "record state frozen target_reconnecting",
			"door frozen target_reconnecting", "door lets go on")
		r.s.LinkRestored()
		r.press(key('c', true))
	})
}

func TestFreezeWhileConnecting(t *testing.T) {
	inRig(t, func(r *rig) {
		if err := r.s.Freeze(r.t.Context(), bob.Person, End{}); !errors.Is(err, RefusedConnecting) {
			t.Errorf("freeze: %v", err)
		}
		if err := r.s.Resume(r.t.Context(), bob.Person); !errors.Is(err, RefusedConnecting) {
			t.Errorf("resume: %v", err)
		}
	})
}

// TestRecorderFails: what cannot be recorded is neither done nor shown. The session freezes at once, says why, and ends.
func TestRecorderFails(t *testing.T) {
	disk := errors.New("input/output error")
	for name, c := range map[string]struct {
		fail func(r *rig)
		want EndCode
	}{
		"the disk is full":     {func(r *rig) { r.recorder.broken <- fmt.Errorf("%w: 12 bytes left", recording.ErrSpoolFull) }, EndSpoolFull},
		"the disk fails":       {func(r *rig) { r.recorder.broken <- disk }, EndRecordingFailed},
		"the disk is slow":     {func(r *rig) { r.recorder.broken <- recording.ErrOverflow }, EndRecordingFailed},
		"an event is not kept": {func(r *rig) { r.recorder.breakWith(disk); r.s.ViewerJoined(bob) }, EndRecordingFailed},
		"a picture is lost":    {func(r *rig) { r.hub.units <- nil }, EndRecordingFailed},
		"a picture is not taken": {func(r *rig) {
			r.recorder.breakWith(disk)
			r.hub.units <- &h264.AccessUnit{Width: 800, Height: 600}
		}, EndRecordingFailed},
	} {
		t.Run(name, func(t *testing.T) {
			inActive(t, func(r *rig) {
				r.press(key('a', true))
				r.take()
				c.fail(r)
				r.running()
				said := r.take("pictures", "status", "door", "send")
				r.want(said, "pictures still true", fmt.Sprintf(`status frozen %s 800x600 "desk"`, c.want),
					"door frozen "+string(c.want), "send key {Keysym:97 Scancode:0 Down:false}")
				r.refused(RefusedNotRecorded, ann, key('b', true))
				if err := r.s.Resume(r.t.Context(), bob.Person); !errors.Is(err, RefusedNotRecorded) {
					t.Errorf("resumed: %v", err)
				}
				if err := r.s.Freeze(r.t.Context(), bob.Person, End{Code: "paused"}); !errors.Is(err, RefusedNotRecorded) {
					t.Errorf("freezing a session that is not recorded: %v", err)
				}
				began := time.Now()
				r.end(c.want)
				if took := time.Since(began); took < 2*time.Second || took > defaultFreezeGrace+5*time.Second {
					t.Errorf("ended %v after the failure", took)
				}
				if sent := r.take("send"); len(sent) > 0 {
					t.Errorf("sent after the failure: %q", sent)
				}
			})
		})
	}
}

// TestRecorderFailsWhileConnecting: there is nothing to show, so the session ends at once.
func TestRecorderFailsWhileConnecting(t *testing.T) {
	inRig(t, func(r *rig) {
		began := time.Now()
		r.recorder.broken <- recording.ErrSpoolFull
		r.end(EndSpoolFull)
		if time.Since(began) > time.Second+farewellTimeout {
			t.Errorf("took %v", time.Since(began))
		}
		r.take()
		connected(r)
		r.want(r.take())
	})
}

// TestRecorderFailsAtFreeze: the graver reason is the one that is shown.
func TestRecorderFailsAtFreeze(t *testing.T) {
	inActive(t, func(r *rig) {
		r.recorder.breakWith(errors.New("gone"))
		if err := r.s.Freeze(r.t.Context(), bob.Person, End{Code: "paused"}); err != nil {
			t.Error(err)
		}
		doors := r.take("door")
		if last := doors[len(doors)-1]; last != "door frozen recording_failed" {
			t.Errorf("shown last: %q", last)
		}
		r.end(EndRecordingFailed)
	})
}

// TestRecorderFailsAtConnect: a desktop that appears when nothing can be recorded any more is not shown.
func TestRecorderFailsAtConnect(t *testing.T) {
	inRig(t, func(r *rig) {
		r.recorder.breakWith(errors.New("gone"))
		connected(r)
		r.refused(RefusedNotRecorded, ann, key('b', true))
		r.end(EndRecordingFailed)
	})
}

func TestOrphan(t *testing.T) {
	minute := func(r *rig) { r.cfg.OrphanTimeout = time.Minute }
	t.Run("while connecting nobody needs to watch", func(t *testing.T) {
		inRig(t, func(r *rig) {
			time.Sleep(time.Hour)
			r.running()
		}, minute)
	})
	t.Run("nobody ever watched", func(t *testing.T) {
		inRig(t, func(r *rig) {
			connected(r)
			time.Sleep(time.Minute - time.Millisecond)
			r.running()
			time.Sleep(time.Millisecond)
			r.end(EndOrphaned)
		}, minute)
	})
	t.Run("the last leaves", func(t *testing.T) {
		inActive(t, func(r *rig) {
			r.s.ViewerJoined(bob)
			time.Sleep(time.Hour)
			r.s.ViewerLeft(ann, "closed")
			time.Sleep(time.Hour)
			r.running()
			r.s.ViewerLeft(bob, "closed")
			time.Sleep(30 * time.Second)
			r.s.ViewerJoined(bob)
			time.Sleep(time.Hour)
			r.running()
			r.s.ViewerLeft(bob, "closed")
			time.Sleep(time.Minute)
			r.end(EndOrphaned)
		}, minute)
	})
	t.Run("never, when there is no timeout", func(t *testing.T) {
		inRig(t, func(r *rig) {
			connected(r)
			time.Sleep(1000 * time.Hour)
			r.running()
		})
	})
}

// TestFarewell: viewers hear why, and those who do not leave do not keep the session.
func TestFarewell(t *testing.T) {
	inActive(t, func(r *rig) {
		r.s.ViewerJoined(bob)
		r.door.leave = func() { r.s.ViewerLeft(bob, "told") }
		began := time.Now()
		r.s.Terminate(Person{}, NewEnd(EndTerminated, ""))
		r.end(EndTerminated)
		if took := time.Since(began); took != farewellTimeout {
			t.Errorf("took %v, want %v", took, farewellTimeout)
		}
	})
}

// TestStubbornTarget: a part that does not stop is left behind; the recording is sealed all the same.
func TestStubbornTarget(t *testing.T) {
	inActive(t, func(r *rig) {
		r.s.Terminate(Person{}, NewEnd(EndTerminated, ""))
		r.end(EndTerminated)
		r.want(r.take("seal"), "seal terminated")
		close(r.target.end)
	}, func(r *rig) { r.target.stubborn = true })
}

func TestViewers(t *testing.T) {
	inRig(t, func(r *rig) {
		connected(r)
		r.take()
		r.s.ViewerJoined(bob)
		r.s.ViewerJoined(bob) // twice is once
		r.s.ViewerJoined(ann)
		r.want(r.take(),
			"viewers bob view", "record join bob v2 view ", "record watch bob v2 announced false",
			"viewers bob view, ann control", "record join ann v1 control 192.0.2.1", "record control taken ann")
		if n := r.s.Stats().Viewers; n != 2 {
			t.Errorf("%d viewers", n)
		}
		r.s.RoleChanged(as(bob, RoleControl))
		r.s.RoleChanged(as(bob, RoleControl))
		r.want(r.take(), "viewers bob control, ann control", "record control released ann", "record control taken bob")
		r.s.RoleChanged(as(ann, RoleView))
		r.s.RoleChanged(as(Viewer{ID: "stranger"}, RoleControl))
		r.s.ViewerLeft(Viewer{ID: "stranger"}, "?")
		r.want(r.take(), "viewers bob control, ann view")
		r.s.ViewerLeft(bob, "closed the page")
		r.want(r.take(), "record control released bob", "viewers ann view", "record leave bob v2: closed the page")
		r.refused(RefusedControl, ann, key('a', true))
	})
}

func TestResized(t *testing.T) {
	inActive(t, func(r *rig) {
		r.target.set(nil, nil)
		show := func(w, h int) {
			r.hub.units <- &h264.AccessUnit{Width: w, Height: h}
			synctest.Wait()
		}
		show(800, 600)
		show(800, 600)
		r.want(r.take())
		show(1024, 768) // of its own accord
		r.want(r.take(), "record resize  1024x768", `status active  1024x768 "desk"`)
		if err := r.s.Resize(r.t.Context(), ann, image.Pt(640, 480)); err != nil {
			t.Fatal(err)
		}
		show(640, 480)
		show(800, 600)
		r.want(r.take("record resize"), "record resize ann 640x480", "record resize  800x600")
		if r.recorder.units != 5 {
			t.Errorf("%d pictures recorded, want 5", r.recorder.units)
		}
	})
}

// TestNames: a target that renames itself without end is heard now and then, and its last word counts.
func TestNames(t *testing.T) {
	inActive(t, func(r *rig) {
		r.s.Renamed("desk") // what it is called already
		for i := range 1000 {
			r.s.Renamed(fmt.Sprintf("n%d", i))
		}
		time.Sleep(time.Minute)
		names := r.take("door name")
		if len(names) > nameBurst+2 || names[len(names)-1] != "door name n999" {
			t.Errorf("%q", names)
		}
		time.Sleep(time.Minute)
		r.s.Renamed(strings.Repeat("ä", desktop.MaxNameBytes))
		synctest.Wait()
		name := strings.TrimPrefix(r.take("door name")[0], "door name ")
		if len(name) > desktop.MaxNameBytes || strings.Trim(name, "ä") != "" {
			t.Errorf("%d bytes of name", len(name))
		}
	})
}

func TestPing(t *testing.T) {
	inActive(t, func(r *rig) {
		if err := r.s.Ping(r.t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := r.s.Stats(); s.Frames != 7 || s.Bytes != 8 || s.FrameRate != 9 || s.Bitrate != 10 || s.RecordedBytes != 4711 || s.Viewers != 1 {
			t.Errorf("%+v", s)
		}
		gone, cancel := context.WithCancel(r.t.Context())
		cancel()
		release := make(chan struct{})
		go r.s.loop.post(func() { <-release }) // the loop hangs
		synctest.Wait()
		if err := r.s.Ping(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("ping of a loop that hangs: %v", err)
		}
		close(release)
	})
}

// TestPicturesMayNotBeLost: what the recorder is given may not be given up for speed.
func TestPicturesMayNotBeLost(t *testing.T) {
	inActive(t, func(r *rig) {
		r.hub.units <- &h264.AccessUnit{Width: 800, Height: 600}
		synctest.Wait()
		r.want(r.take("the recorder may lose pictures"))
	})
}

var _ stream.Sink = (*fakeRecorder)(nil)
