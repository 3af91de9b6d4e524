package recording

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// What was written is read as what it was.
func TestDecodeEvent(t *testing.T) {
	for _, e := range []Event{
		KeyEvent{Actor: "a", Keysym: 0xff0d, Key: "Return", Down: true, Held: true},
		ControlEvent{Actor: "a", Action: "taken", Viewer: "v"},
		LineEvent{Actor: "a", Text: "ls", Length: 2, FirstUS: 3, Ended: "enter", Certainty: Certain},
		NameEvent{Name: "n"},
	} {
		line, err := encodeEvent(e, 7, KeysFull)
		if err != nil {
			t.Fatal(err)
		}
		us, got, err := DecodeEvent(line)
		if err != nil || us != 7 || !reflect.DeepEqual(got, e) {
			t.Errorf("%s reads as %d %#v, %v", line, us, got, err)
		}
	}
	if _, e, err := DecodeEvent([]byte(`{"t_us":1,"kind":"newer"}`)); e != nil || err != nil {
		t.Errorf("an unknown kind reads as %v, %v", e, err)
	}
	if _, _, err := DecodeEvent([]byte(`{"t_us":1,"kind":"key","down":3}`)); err == nil {
		t.Error("a key that is none is read")
	}
}

// Every kind of event as it stands in the file.
func TestEncodeEvent(t *testing.T) {
	for _, c := range []struct {
		event Event
		keys  KeyMode
		want  string
	}{
		{KeyEvent{"alice", 0x61, "a", true, false}, KeysFull, `{"t_us":5,"kind":"key","actor":"alice","keysym":97,"key":"a","down":true}`},
		{KeyEvent{"alice", 0x61, "a", true, false}, KeysNone, `{"t_us":5,"kind":"key","actor":"alice","down":true}`},
		{TextEvent{Actor: "alice", Text: "été<&>"}, KeysFull, `{"t_us":5,"kind":"text","actor":"alice","text":"été<&>","length":6}`},
		{TextEvent{Actor: "alice", Text: "été"}, KeysNone, `{"t_us":5,"kind":"text","actor":"alice","length":3}`},
		{PointerEvent{"alice", 1, 2, 4, PointerUp, false}, KeysFull, `{"t_us":5,"kind":"pointer","actor":"alice","x":1,"y":2,"buttons":4,"action":"up"}`},
		{KeyEvent{"alice", 0xff0d, "Return", true, true}, KeysFull, `{"t_us":5,"kind":"key","actor":"alice","keysym":65293,"key":"Return","down":true,"held":true}`},
		{LineEvent{Actor: "alice", Text: "lé", FirstUS: 3, Ended: "enter", Certainty: Uncertain, Other: "x"}, KeysFull, `{"t_us":5,"kind":"line","actor":"alice","text":"lé","length":2,"first_us":3,"ended":"enter","certainty":"uncertain","other":"x"}`},
		{LineEvent{Actor: "alice", Text: "lé", FirstUS: 3, Ended: "enter", Certainty: Uncertain, Other: "x"}, KeysCommands, `{"t_us":5,"kind":"line","actor":"alice","length":2,"first_us":3,"ended":"enter","certainty":"uncertain"}`},
		{AlertEvent{Actor: "alice", Rule: "r", Name: "R", Severity: "high", Action: "alert", Source: "typed", Excerpt: "rm"}, KeysNone, `{"t_us":5,"kind":"alert","actor":"alice","rule":"r","name":"R","severity":"high","action":"alert","source":"typed"}`},
		{AlertEvent{Rule: "r", Name: "R", Severity: "high", Action: "alert", Source: "screen", Excerpt: "rm"}, KeysNone, `{"t_us":5,"kind":"alert","rule":"r","name":"R","severity":"high","action":"alert","source":"screen","excerpt":"rm"}`},
		{TitleEvent{"Notepad"}, KeysNone, `{"t_us":5,"kind":"title","text":"Notepad"}`},
		{ScreenEvent{"root", 1, 2, 3, 4, 2}, KeysNone, `{"t_us":5,"kind":"screen","text":"root","x":1,"y":2,"width":3,"height":4,"shown_us":2}`},
		{ScreenUnreadEvent{UnreadBusy, 3}, KeysNone, `{"t_us":5,"kind":"screen_unread","reason":"busy","count":3}`},
		{JustificationEvent{Actor: "alice", Rule: "r", Answer: "given", Text: "why", Releases: true}, KeysFull, `{"t_us":5,"kind":"justification","actor":"alice","rule":"r","answer":"given","text":"why","releases":true}`},
		{WheelEvent{"alice", 1, 2, 0, -3}, KeysFull, `{"t_us":5,"kind":"wheel","actor":"alice","x":1,"y":2,"dx":0,"dy":-3}`},
		{ClipboardEvent{Actor: "alice", Direction: ToTarget, Text: "ü"}, KeysNone, `{"t_us":5,"kind":"clipboard","actor":"alice","direction":"to_target","bytes":2,"text":"ü"}`},
		{ResizeEvent{Width: 3, Height: 4}, KeysFull, `{"t_us":5,"kind":"resize","width":3,"height":4}`},
		{ViewerJoinEvent{"bob", "v1", "view", "10.0.0.1"}, KeysFull, `{"t_us":5,"kind":"viewer_join","actor":"bob","viewer":"v1","role":"view","address":"10.0.0.1"}`},
		{ViewerLeaveEvent{"bob", "v1", "view", "closed"}, KeysFull, `{"t_us":5,"kind":"viewer_leave","actor":"bob","viewer":"v1","role":"view","reason":"closed"}`},
		{StateEvent{"carol", "ended", "x", "y"}, KeysFull, `{"t_us":5,"kind":"state","actor":"carol","state":"ended","reason":"x","message":"y"}`},
		{ControlEvent{Actor: "bob", Action: "taken", Viewer: "v1"}, KeysFull, `{"t_us":5,"kind":"control","actor":"bob","action":"taken","viewer":"v1"}`},
		{ControlEvent{"carol", "taken_over", "v1", "bob"}, KeysFull, `{"t_us":5,"kind":"control","actor":"carol","action":"taken_over","viewer":"v1","from":"bob"}`},
		{FreezeEvent{"carol", "frozen", "Wait."}, KeysFull, `{"t_us":5,"kind":"freeze","actor":"carol","reason":"frozen","message":"Wait."}`},
		{ResumeEvent{"carol"}, KeysFull, `{"t_us":5,"kind":"resume","actor":"carol"}`},
		{MessageEvent{"carol", "sent", "m1", "Hi"}, KeysNone, `{"t_us":5,"kind":"message","actor":"carol","action":"sent","id":"m1","text":"Hi"}`},
		{MessageEvent{Actor: "bob", Action: "acknowledged", ID: "m1"}, KeysFull, `{"t_us":5,"kind":"message","actor":"bob","action":"acknowledged","id":"m1"}`},
		{WatchEvent{"carol", "v2", true}, KeysFull, `{"t_us":5,"kind":"watch","actor":"carol","viewer":"v2","announced":true}`},
		{RejectedEvent{"", "key", "view only", 3}, KeysFull, `{"t_us":5,"kind":"rejected","what":"key","message":"view only","count":3}`},
		{KeyEvent{"alice", 0x61, "a", true, false}, KeysCommands, `{"t_us":5,"kind":"key","actor":"alice","down":true}`},
		{KeyEvent{"alice", 0x1006f22, "漢", true, false}, KeysCommands, `{"t_us":5,"kind":"key","actor":"alice","down":true}`},
		{KeyEvent{"alice", 0xffb7, "KP_7", true, false}, KeysCommands, `{"t_us":5,"kind":"key","actor":"alice","down":true}`},
		{KeyEvent{"alice", 0xff0d, "Return", true, false}, KeysCommands, `{"t_us":5,"kind":"key","actor":"alice","keysym":65293,"key":"Return","down":true}`},
		{KeyEvent{"alice", 0xff0d, "Return", true, false}, KeysNone, `{"t_us":5,"kind":"key","actor":"alice","down":true}`},
		{TextEvent{Actor: "alice", Text: "été"}, KeysCommands, `{"t_us":5,"kind":"text","actor":"alice","length":3}`},
		{EndingEvent{"idle", "so", 3}, KeysFull, `{"t_us":5,"kind":"ending","reason":"idle","message":"so","in_ms":3}`},
		{EndingEvent{}, KeysFull, `{"t_us":5,"kind":"ending","in_ms":0}`},
		{NameEvent{"desk"}, KeysFull, `{"t_us":5,"kind":"name","name":"desk"}`},
	} {
		line, err := encodeEvent(c.event, 5, c.keys)
		if err != nil || string(line) != c.want+"\n" {
			t.Errorf("%T: %s, %v; want %s", c.event, line, err, c.want)
		}
		if us, err := parseEventTime(line); us != 5 || err != nil {
			t.Errorf("%T: parsed time %d, %v", c.event, us, err)
		}
	}
}

// Text that is too long once escaped is cut between characters and says so.
func TestLongTextIsCut(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		cut  bool
	}{
		"a full clipboard":      {strings.Repeat("x", 1<<20), false},
		"control characters":    {strings.Repeat("\x01", 1<<20), true},
		"wide characters":       {strings.Repeat("漢", 1<<20), true},
		"quotes":                {strings.Repeat(`"`, 1<<20), true},
		"escapes at the end":    {strings.Repeat("x", 1<<20) + strings.Repeat("\x01", 1<<18), true},
		"escapes at the start":  {strings.Repeat("\x01", 1<<18) + strings.Repeat("x", 1<<20), true},
		"as long as may be and": {strings.Repeat("x", MaxEventBytes), true},
	} {
		line, err := encodeEvent(ClipboardEvent{Actor: "a", Direction: FromTarget, Text: c.text}, 1, KeysFull)
		if err != nil || len(line) > MaxEventBytes {
			t.Errorf("%s: %d bytes, %v", name, len(line), err)
			continue
		}
		var got ClipboardEvent
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatal(err)
		}
		if got.Truncated != c.cut || got.Bytes != len(c.text) || !strings.HasPrefix(c.text, got.Text) || !utf8.ValidString(got.Text) || c.cut && len(line) < MaxEventBytes/4 {
			t.Errorf("%s: truncated %t, %d bytes said, %d kept", name, got.Truncated, got.Bytes, len(got.Text))
		}
	}
	if _, err := encodeEvent(NameEvent{strings.Repeat("x", MaxEventBytes)}, 1, KeysFull); err == nil {
		t.Error("a name longer than a line was taken")
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"session.json", "init-000000.mp4", "init-999999.mp4", "seg-000000.m4s", "seg-999999.m4s", "events-000001.ndjson"} {
		kind, n, ok := parseName(name)
		if !ok {
			t.Errorf("%s is refused", name)
		}
		if kind == KindSession {
			continue
		}
		if again, err := fileName(kind, n); err != nil || again != name {
			t.Errorf("%s became %s, %v", name, again, err)
		}
	}
	for kind, n := range map[Kind]int{KindInit: 1_000_000, KindSegment: 1_000_000, KindEvents: -1, KindSession: 0} {
		if name, err := fileName(kind, n); err == nil {
			t.Errorf("%s %d became %s", kind, n, name)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"session.json", "init-000000.mp4", "seg-000000.m4s", "../x", "seg-+00001.m4s", "seg-00000１.m4s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		kind, n, ok := parseName(s)
		if !ok || kind == KindSession {
			return
		}
		if name, err := fileName(kind, n); err != nil || name != s {
			t.Errorf("%q became %q, %v", s, name, err)
		}
	})
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"name":"seg-000003.m4s","size":123456,"sha256":"` + strings.Repeat("0a", 32) + `","kind":"segment","init":"init-000000.mp4","start":1080000,"duration":360000,"samples":41,"still":[[1,2]]}` + "\n"))
	f.Add([]byte(`{"name":"session.json","size":1,"sha256":"` + strings.Repeat("00", 32) + `","kind":"session"}` + "\n{\"na"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, whole, err := parseJournal(b)
		if whole > len(b) || err == nil && bytes.IndexByte(b[whole:], '\n') >= 0 {
			t.Fatalf("%d whole bytes of %d, %v", whole, len(b), err)
		}
		var out []byte
		for _, e := range entries {
			line, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			out = append(append(out, line...), '\n')
		}
		again, n, err := parseJournal(out)
		if err != nil || n != len(out) || len(again) != len(entries) {
			t.Fatalf("%d entries became %d, %v", len(entries), len(again), err)
		}
		for i := range again {
			again[i].Still, again[i].Quiet = append(again[i].Still, entries[i].Still...)[:0:0], nil // an empty list and none are the same
			entries[i].Still, entries[i].Quiet = again[i].Still, nil
			if !reflect.DeepEqual(again[i], entries[i]) {
				t.Fatalf("%+v became %+v", entries[i], again[i])
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	entry := func(name, kind, rest string) string {
		return `{"name":"` + name + `","size":1,"sha256":"` + strings.Repeat("00", 32) + `","kind":"` + kind + `"` + rest + `}`
	}
	f.Add([]byte(`{"format":1,"session_id":"x","files":[` + entry("session.json", "session", "") + "," + entry("init-000000.mp4", "init", "") + "," +
		entry("seg-000000.m4s", "segment", `,"init":"init-000000.mp4","duration":5`) + "," + entry("events-000000.ndjson", "events", `,"last_us":9`) + `]}`))
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			return
		}
		out, err := json.Marshal(m)
		if err != nil {
			return // times outside of what JSON can say
		}
		if _, err := ParseManifest(out); err != nil {
			t.Fatalf("written again: %v", err)
		}
		recordedDuration(m.Files)
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"t_us":1,"kind":"key"}` + "\n" + `{"t_us":2,"kind":"name","name":"x"}` + "\n"))
	f.Add([]byte(`{"t_us":5,"kind":"a"}` + "\n" + `{"t_us":2,"kind":"a"}` + "\n{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := recovery{listed: map[string]bool{}}
		var e Entry
		whole := r.scanEvents(b, &e)
		if whole > len(b) || whole > 0 && b[whole-1] != '\n' || (whole > 0) != (e.Count > 0) || e.Count != bytes.Count(b[:whole], []byte("\n")) || e.LastUS < e.FirstUS {
			t.Fatalf("%d whole bytes of %d: %+v", whole, len(b), e)
		}
		n := 0
		for range skipLines(b[:whole], 0) {
			n++
		}
		if n != e.Count {
			t.Fatalf("%d lines, %d events", n, e.Count)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("0.0")
	f.Add("12.345")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := parseCursor(s); err == nil && s != "" && c.String() != s {
			t.Errorf("%q became %q", s, c)
		}
	})
}
