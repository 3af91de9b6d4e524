package audit

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)

func TestEncode(t *testing.T) {
	e := Entry{
		Actor: Actor{ID: "u", Name: "alice", Kind: KindUser}, Action: "sign_in", Outcome: Success, Policies: []string{"b", "a", "b"},
		Details: map[string]string{"z": "1", "a": "\"\\\x00\x01\n\u2028<&>é", "empty": ""},
	}
	require.Equal(t, `{"action":"sign_in","actor":{"id":"u","kind":"user","name":"alice"},"details":{"a":"\"\\`+"\uFFFD"+`\u0001\n`+"\u2028"+`<&>é","z":"1"},`+
		`"index":7,"outcome":"success","policies":["a","b"],"time":"2026-01-02T03:04:05.000006Z","v":1}`, string(e.clean(at).encode(7)))
}

func TestCaps(t *testing.T) {
	e := Entry{Action: strings.Repeat("é", 1000), Policies: make([]string, 100), Details: map[string]string{"a": strings.Repeat("x", 10_000), "b\xff": "\xff"}}
	for i := range e.Policies {
		e.Policies[i] = strings.Repeat("p", i)
	}
	c := e.clean(at)
	require.LessOrEqual(t, len(c.Action), maxName)
	require.Len(t, c.Policies, maxPolicies)
	require.LessOrEqual(t, len(c.Details["a"]), maxDetail)
	require.Equal(t, "\uFFFD", c.Details["b\uFFFD"])
	require.True(t, utf8.Valid(c.encode(0)))
}

func TestDecodeRefuses(t *testing.T) {
	good := string(sample(1).clean(at).encode(3))
	_, _, err := Decode([]byte(good))
	require.NoError(t, err)
	for name, bad := range map[string]string{
		"white space":     strings.Replace(good, `,"index"`, `, "index"`, 1),
		"another order":   strings.Replace(good, `"id":"u1","kind":"user"`, `"kind":"user","id":"u1"`, 1),
		"another member":  strings.Replace(good, `"v":1`, `"v":1,"w":2`, 1),
		"twice":           strings.Replace(good, `"v":1`, `"v":1,"v":1`, 1),
		"long escape":     strings.Replace(good, `alice`, `\u0061lice`, 1),
		"version":         strings.Replace(good, `"v":1`, `"v":2`, 1),
		"time zone":       strings.Replace(good, `Z"`, `+00:00"`, 1),
		"trailing":        good + " ",
		"not JSON":        "x",
		"another number":  strings.Replace(good, `"index":3`, `"index":3.0`, 1),
		"empty detail":    strings.Replace(good, `"details":{`, `"details":{"a":"",`, 1) + "x",
		"policies spaced": strings.Replace(good, `["p1","p2"]`, `["p1", "p2"]`, 1),
	} {
		_, _, err := Decode([]byte(bad))
		require.Error(t, err, name)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(string(sample(1).clean(at).encode(3)))
	f.Add(`{"action":"a","actor":{},"index":0,"outcome":"success","time":"2026-01-02T03:04:05.000006Z","v":1}`)
	f.Add(`{"v":1}`)
	f.Fuzz(func(t *testing.T, s string) {
		index, e, err := Decode([]byte(s))
		if err != nil {
			return
		}
		require.Equal(t, s, string(e.encode(index)), "one entry has one form")
	})
}

// FuzzEncode: whatever goes in, one line of valid JSON comes out that says the same.
func FuzzEncode(f *testing.F) {
	f.Add("alice", "line\none", "k\x00", "\xff\u2028")
	f.Add("\U0001F600", "\uFFFD", "", "")
	f.Fuzz(func(t *testing.T, name, action, key, value string) {
		e := Entry{Actor: Actor{Name: name, Kind: KindUser}, Action: action, Outcome: Success, Details: map[string]string{key: value}}.clean(at)
		b := e.encode(1)
		require.True(t, json.Valid(b))
		require.NotContains(t, string(b), "\n")
		index, back, err := Decode(b)
		require.NoError(t, err)
		require.EqualValues(t, 1, index)
		require.Equal(t, e.Actor, back.Actor)
		require.Equal(t, e.Details, back.Details)
	})
}
