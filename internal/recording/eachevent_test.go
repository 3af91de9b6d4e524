package recording

import (
	"encoding/json"
	"fmt"
	"testing"
)

// FuzzEventHead: the quick look at an event says what is in it, whatever its kind is called and whatever follows, and whatever
// stands there instead of an event it does not break.
func FuzzEventHead(f *testing.F) {
	f.Add(int64(12), "key", `{"t_us":12,"kind":"key","down":true}`)
	f.Add(int64(1<<62), `a"b\`, `{"kind":"key","t_us":12}`)
	f.Add(int64(0), "é\n", `{"t_us":1e3,"kind":"key"}`)
	f.Add(int64(7), "x", `{"t_us":-1,"kind":"`)
	f.Fuzz(func(t *testing.T, us int64, kind, more string) {
		if _, _, err := eventHead([]byte(more)); err == nil && len(more) == 0 {
			t.Fatal("nothing is no event")
		}
		name, err := json.Marshal(kind)
		if err != nil || us < 0 || kind == "" {
			return
		}
		text, err := json.Marshal(more)
		if err != nil {
			return
		}
		var want string
		if err := json.Unmarshal(name, &want); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{
			fmt.Sprintf(`{"t_us":%d,"kind":%s,"text":%s}`, us, name, text), // as the recorder writes it
			fmt.Sprintf(`{"text":%s,"kind":%s,"t_us":%d}`, text, name, us),
		} {
			gotUS, got, err := eventHead([]byte(line))
			if err != nil || gotUS != us || got != want {
				t.Fatalf("%s: %d %q %v", line, gotUS, got, err)
			}
		}
	})
}
